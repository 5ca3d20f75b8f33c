"""Perplexity against transformers: its guide's own loop, its logits, and the equations by hand."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from tuppence.core.errors import InputError, NonFiniteError
from tuppence.evaluation.scoring.perplexity import Perplexity, perplexity

VOCABULARY, CONTEXT, END = 61, 24, 60
BYTES = np.arange(VOCABULARY) % 5 + 1
BYTES[END] = 0


class HuggingFace(torch.nn.Module):
    """A transformers GPT-2 behind the two things perplexity asks of a model: `config` and `row_losses`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        sizes = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": CONTEXT, "vocab_size": VOCABULARY}
        self.inner = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=END, eos_token_id=END))
        with torch.no_grad():  # far from uniform, so that a wrong window shows
            for parameter in self.inner.parameters():
                parameter.mul_(6)
        self.config = types.SimpleNamespace(context_length=CONTEXT)
        self.largest_batch = 0

    def row_losses(self, tokens_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        self.largest_batch = max(self.largest_batch, len(tokens_BT))
        logits_BTV = self.inner(tokens_BT).logits
        losses_N = F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), reduction="none")
        return losses_N.view(targets_BT.shape).sum(dim=1)


@pytest.fixture(scope="module")
def model() -> HuggingFace:
    return HuggingFace()


def text(length: int, seed: int = 1) -> np.ndarray:
    ids = np.random.default_rng(seed).integers(0, END, length)
    return np.concatenate(([END], ids))


def score(model: HuggingFace, tokens: np.ndarray, **options: object) -> Perplexity:
    return perplexity(model, [tokens], BYTES, **options)  # type: ignore[arg-type]


def loss_of_the_guide(model: HuggingFace, tokens: np.ndarray, max_length: int, stride: int) -> float:
    """https://huggingface.co/docs/transformers/perplexity, its means weighted by the true number of targets."""
    input_ids = torch.from_numpy(tokens)[None]
    seq_len = input_ids.size(1)
    nll_sum, n_tokens, prev_end = 0.0, 0, 0
    for begin in range(0, seq_len, stride):
        end = min(begin + max_length, seq_len)
        chunk = input_ids[:, begin:end]
        target_ids = chunk.clone()
        target_ids[:, : -(end - prev_end)] = -100
        with torch.no_grad():
            mean = model.inner.eval()(chunk, labels=target_ids).loss
        valid = int((target_ids[:, 1:] != -100).sum())
        nll_sum += mean.item() * valid
        n_tokens += valid
        prev_end = end
        if end == seq_len:
            break
    assert n_tokens == seq_len - 1
    return nll_sum / n_tokens


@pytest.mark.parametrize("stride", [1, 7, 12, 23])
@pytest.mark.parametrize("length", [5, 23, 24, 100])
def test_sliding_windows_equal_the_loop_of_the_guide(length: int, stride: int, model: HuggingFace) -> None:
    # the guide's window of N tokens predicts N - 1 of them: it is ours of N - 1
    tokens = text(length)
    ours = score(model, tokens, context_length=CONTEXT - 1, stride=stride)
    assert ours.loss == pytest.approx(loss_of_the_guide(model, tokens, CONTEXT, stride), rel=1e-5)
    assert ours.tokens == length


def test_a_stride_of_the_whole_context_is_the_plain_chunked_loss(model: HuggingFace) -> None:
    tokens = text(CONTEXT * 3)
    rows = torch.from_numpy(np.stack([tokens[i * CONTEXT : (i + 1) * CONTEXT + 1] for i in range(3)]))
    with torch.no_grad():
        logits_BTV = model.inner.eval()(rows[:, :-1]).logits
    chunked = F.cross_entropy(logits_BTV.flatten(0, 1), rows[:, 1:].flatten()).item()
    assert score(model, tokens, stride=CONTEXT).loss == pytest.approx(chunked, rel=1e-5)


def test_a_smaller_stride_changes_the_loss(model: HuggingFace) -> None:
    tokens = text(200)
    losses = {stride: score(model, tokens, stride=stride).loss for stride in (1, CONTEXT)}
    assert losses[1] != pytest.approx(losses[CONTEXT], rel=1e-3)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_nothing(batch_size: int, model: HuggingFace) -> None:
    model.largest_batch = 0
    tokens = text(150)
    assert score(model, tokens, batch_size=batch_size).loss == pytest.approx(score(model, tokens, batch_size=7).loss)
    assert score(model, tokens).stride == CONTEXT // 2


def test_bits_per_byte_is_nats_over_ln_2_times_bytes(model: HuggingFace) -> None:
    tokens = text(90)
    result = score(model, tokens)
    assert result.bytes == BYTES[tokens].sum()
    assert result.bits_per_byte == pytest.approx(result.loss * 90 / (math.log(2) * result.bytes))
    assert result.perplexity == pytest.approx(math.exp(result.loss))


def test_an_untrained_model_needs_log2_v_bits_for_a_token(model: HuggingFace) -> None:
    class Uniform(HuggingFace):
        def row_losses(self, tokens_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
            return (targets_BT != -100).sum(dim=1) * math.log(VOCABULARY)

    result = perplexity(Uniform(), [text(70)], np.where(BYTES > 0, 4, 0))  # type: ignore[arg-type]
    assert result.perplexity == pytest.approx(VOCABULARY)
    assert result.bits_per_byte == pytest.approx(math.log2(VOCABULARY) / 4)


def test_end_of_text_is_context_and_never_a_target(model: HuggingFace) -> None:
    tokens = np.concatenate((text(10, seed=1), text(9, seed=2), [END]))
    result = score(model, tokens, stride=CONTEXT)
    with torch.no_grad():
        logits_TV = model.inner.eval()(torch.from_numpy(tokens[:-1])[None]).logits[0]
    targets = torch.from_numpy(tokens[1:])
    losses = F.cross_entropy(logits_TV, targets, reduction="none")
    assert result.tokens == 19
    assert result.loss == pytest.approx(losses[targets != END].mean().item(), rel=1e-5)


@pytest.mark.parametrize("max_tokens", [1, 10, 24, 25, 60])
def test_a_limit_scores_the_beginning_and_its_bytes(max_tokens: int, model: HuggingFace) -> None:
    tokens = text(60)
    limited = score(model, tokens, max_tokens=max_tokens, stride=CONTEXT)
    whole = score(model, tokens[: max_tokens + 1], stride=CONTEXT)
    assert (limited.tokens, limited.bytes) == (max_tokens, BYTES[tokens[1 : max_tokens + 1]].sum())
    assert limited.loss == pytest.approx(whole.loss, rel=1e-5)


def test_progress_adds_up_to_the_bytes_of_the_text(model: HuggingFace) -> None:
    nats, counts = [], []

    def on_batch(batch_nats: list[float], batch_bytes: list[int]) -> None:
        assert len(batch_nats) == len(batch_bytes) <= 2
        nats.extend(batch_nats)
        counts.extend(batch_bytes)

    result = score(model, text(300), on_batch=on_batch, batch_size=2)
    assert len(counts) > 5
    assert sum(counts) == result.bytes
    assert sum(nats) / result.tokens == pytest.approx(result.loss)


def test_the_mode_of_the_model_is_restored(model: HuggingFace) -> None:
    for training in (True, False):
        model.train(training)
        score(model, text(5))
        assert model.training is training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride 0"),
        ({"stride": CONTEXT + 1}, "stride 25"),
        ({"context_length": 8, "stride": 9}, "stride 9 is not from 1 to 8"),
        ({"context_length": 0}, "context length 0"),
        ({"context_length": CONTEXT + 1}, "context length 25"),
        ({"max_tokens": 0}, "no token to score"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], message: str, model: HuggingFace) -> None:
    with pytest.raises(InputError, match=message):
        score(model, text(30), **options)


def test_an_empty_text_and_an_unknown_id_are_refused(model: HuggingFace) -> None:
    with pytest.raises(InputError, match="no token to score"):
        score(model, np.array([END]))
    with pytest.raises(InputError, match="token 61 is not in the vocabulary"):
        score(model, np.array([END, 3, VOCABULARY]))


def test_a_model_that_predicts_nan_is_refused() -> None:
    broken = HuggingFace()
    torch.nn.init.constant_(broken.inner.transformer.ln_f.weight, float("nan"))
    with pytest.raises(NonFiniteError, match="not a finite number"):
        score(broken, text(10))

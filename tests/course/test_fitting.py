"""`tp.fit` is training's one loop, on data in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import tuppence as tp
from tuppence.core.errors import InputError
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.tokenizer import Tokenizer
from tuppence.training.objective import Batch, Objective, Sample


@pytest.fixture
def tokens(texts: list[str], tokenizer: Tokenizer) -> Tensor:
    return tp.tokens(texts, tokenizer)


def test_its_losses_are_those_of_a_loop_in_plain_torch(model: GPT, tokens: Tensor) -> None:
    plain = copy.deepcopy(model).train()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.0)
    losses = []
    for x, y in (next_batch for next_batch, _ in zip(tp.windows(tokens, 32, 4, seed=1), range(6), strict=False)):
        loss = plain.loss(x, y) / y.numel()
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    run = tp.fit(model, tokens, steps=6, lr=3e-3, batch_size=4)
    assert run.series("loss")[1] == pytest.approx(losses, rel=1e-5)
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_it_is_the_pretraining_of_the_command_line(
    tmp_path: Path, config: ModelConfig, texts: list[str], tokenizer: Tokenizer
) -> None:
    sizes = {"n_layers": 2, "n_heads": 2, "d_model": 16, "context_length": 32}
    same = {"learning_rate": 3e-3, "batch_size": 4, "seed": 5, "schedule": "constant", "warmup_steps": 0}
    more = {"optimizer": "adamw", "weight_decay": 0.0, "precision": "float32", "log_every": 1, "sample_tokens": 0}
    long = tp.pretrain(
        texts,
        tmp_path / "run",
        tokenizer=tokenizer,
        steps=5,
        recipe=None,
        compile=False,
        preset="nano",
        **sizes,
        **same,
        **more,
    )
    from tuppence.data.shards import TokenShards

    shards = TokenShards.open(tmp_path / "run-data", "train")
    tokens = torch.from_numpy(shards.window(0, len(shards)))
    torch.manual_seed(5)
    model = GPT(config)
    short = tp.fit(model, tokens, 5, lr=3e-3, batch_size=4, seed=5)
    assert short.series("loss")[1] == long.series("loss")[1]


def test_rows_are_sequences_and_ignored_targets_do_not_count(config: ModelConfig) -> None:
    torch.manual_seed(0)
    rows = torch.randint(20, (8, 9))
    rows[:, :4] = -100  # the first three are no targets; the fourth is only an input
    model = GPT(config)
    start = copy.deepcopy(model).eval()
    run = tp.fit(model, rows, steps=1, batch_size=8)
    expected = start.loss(rows[:, :-1].clamp(min=0), rows[:, 1:]) / (8 * 5)
    assert run.series("loss")[1][0] == pytest.approx(float(expected.detach()), rel=1e-5)


def test_the_best_weights_of_the_validations_are_kept(config: ModelConfig, tokens: Tensor) -> None:
    torch.manual_seed(0)
    model = GPT(config)
    train, val = tokens[:165], tokens[-330:]  # five windows: it overfits
    run = tp.fit(model, train, 60, lr=2e-2, val=val, eval_every=10)
    scores = run.series("val_loss")[1]
    assert min(scores) < scores[-1]
    rows = val.unfold(0, 33, 32)
    with torch.no_grad():
        loss = model.loss(rows[:, :-1], rows[:, 1:]) / rows[:, 1:].numel()
    assert float(loss) == pytest.approx(min(scores), rel=1e-4)


class Line(Objective[nn.Module]):
    """y = 3 x, to show that an own objective trains an own module."""

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        return [(x, 3 * x)]

    def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = batch
        return ((model(x) - y) ** 2).sum(), {}

    def evaluation(self) -> Iterator[Batch]:
        return iter(())

    def samples(self, model: nn.Module) -> list[Sample]:
        return []


def test_an_own_objective_trains_an_own_module() -> None:
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    run = tp.fit(model, Line(), 200, lr=0.1)
    assert float(model.weight.detach()) == pytest.approx(3.0, abs=0.05)
    assert run.receipt.steps == 200


def test_the_run_folder_is_kept_where_it_was_asked_for(tmp_path: Path, model: GPT, tokens: Tensor) -> None:
    run = tp.fit(model, tokens, 2, out=tmp_path / "run")
    assert tp.open(str(tmp_path / "run")).metrics == run.metrics
    assert run.model is model
    with pytest.raises(InputError, match="no tokenizer"):
        _ = run.tokenizer


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str], model: GPT, tokens: Tensor) -> None:
    tp.fit(model, tokens, 2, val=tokens[-100:])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"lrr": 1}, "there is no setting lrr"),
        ({"optimizer": "sgd"}, "train.optimizer"),
        ({"steps": 0}, "train.max_steps"),
    ],
)
def test_bad_settings_are_named(keys: dict[str, object], said: str, model: GPT, tokens: Tensor) -> None:
    with pytest.raises(InputError, match=said):
        tp.fit(model, tokens, **{"steps": 2, **keys})


def test_tokens_that_are_no_sequences_are_refused(model: GPT, tokens: Tensor) -> None:
    with pytest.raises(InputError, match="30 tokens are fewer than one window of 32"):
        tp.fit(model, tokens[:30], 2)
    with pytest.raises(InputError, match="no sequences"):
        tp.fit(model, torch.zeros(2, 40, dtype=torch.long), 2)
    with pytest.raises(InputError, match="tokens train a GPT, not a Linear"):
        tp.fit(nn.Linear(1, 1), tokens, 2)
    with pytest.raises(InputError, match="own held-out batches"):
        tp.fit(nn.Linear(1, 1), Line(), 2, val=tokens)

"""The head on the last real token, compared with transformers' GPT2ForSequenceClassification."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer, Trained, train_only
from tuppence.model.lora import LoRA, lora_layers
from tuppence.model.saving import save_scorer
from tuppence.model.weights import load_model, load_scorer, open_model
from tuppence.tokenizer import train_tokenizer

ROWS = [[5, 6, 7, 8, 9], [10, 11], [12]]
LENGTHS = torch.tensor([5, 2, 1])


def padded(value: int) -> torch.Tensor:
    return torch.tensor([row + [value] * (5 - len(row)) for row in ROWS])


def test_the_score_is_that_of_the_last_token_before_the_padding(
    lively: Callable[..., GPT], small_config: ModelConfig
) -> None:
    model = SequenceScorer(lively(small_config), 3).eval()
    alone = torch.cat([model(torch.tensor([row]), torch.tensor([len(row)])) for row in ROWS])
    for value in (0, 8, 60):  # 8 is a token of the first text, too
        torch.testing.assert_close(model(padded(value), LENGTHS), alone)


def test_transformers_opens_the_result_and_agrees(
    tmp_path: Path, lively: Callable[..., GPT], small_config: ModelConfig
) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = train_tokenizer(["a few words to learn from"] * 3, vocab_size=260)
    sizes = small_config.model_copy(update={"vocab_size": 260})
    model = SequenceScorer(lively(sizes, std=0.1), 3).eval()
    save_scorer(model, tmp_path / "model", labels=["ham", "spam", "eggs"], tokenizer=tokenizer)

    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    assert type(theirs).__name__ == "GPT2ForSequenceClassification"
    assert theirs.config.id2label == {0: "ham", 1: "spam", 2: "eggs"}
    tokens = padded(tokenizer.end_of_text)
    with torch.no_grad():
        assert (theirs(tokens).logits - model(tokens, LENGTHS)).abs().max() < 1e-5

    ours = load_scorer(tmp_path / "model")
    assert list(open_model(tmp_path / "model").labels) == ["ham", "spam", "eggs"]
    assert torch.equal(ours(tokens, LENGTHS), model(tokens, LENGTHS))


def test_we_open_transformers_classifier(tmp_path: Path, small_config: ModelConfig) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    theirs = transformers.GPT2ForSequenceClassification(
        transformers.GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=32, vocab_size=61, pad_token_id=0)
    ).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_scorer(tmp_path)
    assert list(open_model(tmp_path).labels) == ["LABEL_0", "LABEL_1"]
    with torch.no_grad():
        assert (theirs(padded(0)).logits - ours(padded(0), LENGTHS)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("head", {"score.weight"}),
        ("last-block", {"score.weight", "gpt.final_norm.bias", "gpt.blocks.1.mlp.expand.weight"}),
        ("lora", {"score.weight", "gpt.blocks.0.attention.qkv.lora_A"}),
        ("all", {"score.weight", "gpt.token_embedding.weight"}),
    ],
)
def test_the_choice_determines_the_trained_parameters(
    small_config: ModelConfig, what: Trained, wanted: set[str]
) -> None:
    model = SequenceScorer(GPT(small_config), 2)
    train_only(model, what, LoRA(rank=2))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert wanted <= trained
    assert ("gpt.blocks.0.mlp.expand.weight" in trained) == (what == "all")
    if what == "head":
        assert trained == wanted


def test_an_adapter_is_merged_into_what_is_saved(
    tmp_path: Path, lively: Callable[..., GPT], small_config: ModelConfig
) -> None:
    model = SequenceScorer(lively(small_config, std=0.1), 2).eval()
    train_only(model, "lora", LoRA(rank=2))
    with torch.no_grad():
        for _, layer in lora_layers(model):
            layer.lora_B.normal_(std=0.2)
    save_scorer(model, tmp_path / "model", labels=["a", "b"])
    plain = load_scorer(tmp_path / "model")
    torch.testing.assert_close(plain(padded(0), LENGTHS), model(padded(0), LENGTHS), rtol=1e-4, atol=1e-4)


def test_classifiers_and_language_models_are_told_apart(tmp_path: Path, small_config: ModelConfig) -> None:
    from tuppence.model.saving import save_model

    save_model(GPT(small_config), tmp_path / "lm")
    save_scorer(SequenceScorer(GPT(small_config), 2), tmp_path / "classifier", labels=["a", "b"])
    with pytest.raises(InputError, match="it has no scores"):
        load_scorer(tmp_path / "lm")
    with pytest.raises(InputError, match="classifier, not a language model"):
        load_model(tmp_path / "classifier")


def test_an_unknown_choice_is_refused(small_config: ModelConfig) -> None:
    with pytest.raises(InputError, match=r"cannot train .some. alone"):
        train_only(SequenceScorer(GPT(small_config), 2), "some")  # type: ignore[arg-type]

"""Opening models: what `inspect` reads and refuses, and what `load` returns."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.model import weights
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import inspect, load
from tuppence.model.saving import save_model, save_scorer
from tuppence.model.weights import fingerprint
from tuppence.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["it rained again"], 262)


@pytest.fixture
def folder(small_config: ModelConfig, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A run whose model has a vocabulary that is larger than its tokenizer's."""
    sizes = small_config.model_copy(update={"vocab_size": 270})
    save_model(GPT(sizes), tmp_path / "run" / "model", tokenizer=tokenizer)
    return tmp_path / "run"


@pytest.fixture
def scorer(small_config: ModelConfig, tokenizer: Tokenizer, tmp_path: Path) -> Callable[[list[str]], Path]:
    def save(labels: list[str]) -> Path:
        model = SequenceScorer(GPT(small_config.model_copy(update={"vocab_size": 270})), len(labels))
        save_scorer(model, tmp_path / "scorer", labels=labels, tokenizer=tokenizer)
        return tmp_path / "scorer"

    return save


def test_inspecting_reads_no_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "read_tensors", lambda *_: pytest.fail("weights were read"))
    info = inspect(folder)
    assert (info.kind, info.labels, info.config.vocab_size) == ("language model", (), 270)
    assert info.fingerprint == fingerprint(folder)


def test_a_model_is_loaded_as_it_was_inspected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = inspect(folder)
    monkeypatch.setattr(Tokenizer, "load", lambda *_: pytest.fail("the tokenizer was read again"))
    loaded = load(info, "cpu", "float32")
    assert (loaded.config, loaded.tokenizer, loaded.folder) == (info.config, info.tokenizer, folder)
    assert isinstance(loaded.model, GPT)
    assert not loaded.model.training


def test_the_number_of_scores_determines_the_kind(scorer: Callable[[list[str]], Path]) -> None:
    assert inspect(scorer(["ham", "spam"])).kind == "classifier"
    loaded = load(scorer(["reward"]), "cpu")
    assert (loaded.kind, loaded.labels) == ("reward model", ("reward",))
    assert isinstance(loaded.model, SequenceScorer)


def test_a_model_of_another_kind_than_wanted_is_refused(folder: Path, scorer: Callable[[list[str]], Path]) -> None:
    with pytest.raises(InputError, match="is a language model: it has no scores"):
        inspect(folder, head="scores")
    with pytest.raises(InputError, match="is a classifier, not a language model"):
        load(scorer(["ham", "spam"]), "cpu", head="lm")


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_precision_is_that_of_the_weights_or_of_the_products(precision: str, folder: Path) -> None:
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16}[precision]
    cast, kept = (load(folder, "cpu", precision, head="lm", cast_weights=cast) for cast in (True, False))
    assert cast.model.token_embedding.weight.dtype == dtype
    assert kept.model.token_embedding.weight.dtype == torch.float32
    with kept.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    with cast.autocast():
        assert not torch.is_autocast_enabled("cpu")


def test_a_classifier_computes_in_float32_unless_asked_otherwise(scorer: Callable[[list[str]], Path]) -> None:
    assert load(scorer(["ham", "spam"]), "cpu", "auto").precision.name == "float32"
    assert load(scorer(["ham", "spam"]), "cpu", "bf16").precision.name == "bf16"


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(folder: Path) -> None:
    train_tokenizer([chr(code) * 3 + "abc" * code for code in range(200, 400)], 330).save(folder / "model")
    for open_model in (inspect, load):
        with pytest.raises(InputError, match="has 330 ids, the model only 270"):
            open_model(folder)


def test_a_folder_without_tokenizer_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "model", tmp_path / "bare", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(InputError, match="tokenizer"):
        inspect(tmp_path / "bare")


def test_a_classifier_without_its_head_is_refused(scorer: Callable[[list[str]], Path], folder: Path) -> None:
    place = scorer(["ham", "spam"])
    shutil.copy(folder / "model" / "model.safetensors", place)
    with pytest.raises(InputError, match=r"tensor score\.weight is missing"):
        inspect(place)

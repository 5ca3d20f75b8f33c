"""The recipe of pretraining and its samples. Whole runs: tests/integration."""

from __future__ import annotations

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.model.gpt import GPT
from tuppence.tasks.pretrain import (
    NextToken,
    PresetConfig,
    PretrainRecipe,
)
from tuppence.tokenizer import train_tokenizer
from tuppence.training.config import TrainConfig


def test_a_preset_takes_the_vocabulary_of_the_data() -> None:
    config = PresetConfig(preset="tiny").resolve(vocab_size=1000)
    assert config == PRESETS["tiny"].model_copy(update={"vocab_size": 1000})


def test_single_sizes_override_the_preset() -> None:
    config = PresetConfig(preset="tiny", n_layers=2, dropout=0.1, vocab_size=1024).resolve(vocab_size=1000)
    assert (config.n_layers, config.dropout, config.vocab_size) == (2, 0.1, 1024)


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        (PresetConfig(preset="enormous"), "gpt2-124m"),
        (PresetConfig(n_heads=5), "n_heads"),
        (PresetConfig(vocab_size=10), "1,000"),
        (PresetConfig(context_length=0), "context_length"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(choice: PresetConfig, word: str) -> None:
    with pytest.raises(InputError) as caught:
        choice.resolve(vocab_size=1000)
    assert word in caught.value.message + caught.value.hint


def test_an_error_in_the_sizes_is_one_plain_line() -> None:
    with pytest.raises(InputError) as caught:
        PresetConfig(d_model=33, n_heads=2).resolve(vocab_size=1000)
    assert caught.value.message == "model: d_model 33 is not a multiple of n_heads 2"


def test_samples_leave_out_ids_without_a_token() -> None:
    tokenizer = train_tokenizer(["once upon a time"] * 3, vocab_size=260)
    sizes = ModelConfig(n_layers=1, n_heads=1, d_model=4, context_length=32, vocab_size=4096, dropout=0.0)
    objective = object.__new__(NextToken)
    objective._tokenizer, objective._model, objective._config = tokenizer, sizes, TrainConfig()
    torch.manual_seed(0)
    (sample,) = objective.samples(GPT(sizes))  # untrained: 15 of 16 draws are no token
    assert sample.prompt == "Once upon a time"
    assert len(sample.text) < 16


def test_a_recipe_has_no_unknown_keys() -> None:
    with pytest.raises(ValueError, match="extra"):
        PretrainRecipe.model_validate({"data": {}})

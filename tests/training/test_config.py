"""The train section refuses invalid values."""

from __future__ import annotations

import pytest

from tuppence.core.config import load_config
from tuppence.core.errors import InputError
from tuppence.tasks.pretrain import PretrainRecipe


def test_lr_is_short_for_learning_rate() -> None:
    config = load_config(PretrainRecipe, overrides=["train.learning_rate=1e-3", "train.lr=3e-4"])
    assert config.train.learning_rate == 3e-4


@pytest.mark.parametrize(
    "override",
    [
        *("train.batch_size=0", "train.learning_rate=0", "train.optimizer=sgd", "train.schedule=step"),
        *("train.muon_learning_rate=0.1", "train.compile=perhaps", "train.seed=-1", "train.beta2=1"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_key(override: str) -> None:
    with pytest.raises(InputError, match="train"):
        load_config(PretrainRecipe, overrides=[override])


def test_false_means_false() -> None:
    assert load_config(PretrainRecipe, overrides=["train.compile=false"]).train.compile is False

"""The learning rate follows its formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.training.config import TrainConfig
from tuppence.training.schedule import learning_rate_factor


def test_cosine_falls_from_one_to_its_floor_by_the_formula() -> None:
    config = TrainConfig(warmup_steps=0, schedule="cosine", min_lr_factor=0.2)
    for done in (0.0, 0.25, 0.5, 1.0):
        expected = 0.2 + 0.8 * (1 + math.cos(math.pi * done)) / 2
        assert learning_rate_factor(config, 10, done) == pytest.approx(expected)


def test_warm_up_is_linear_and_never_zero() -> None:
    config = TrainConfig(warmup_steps=4, schedule="constant")
    assert [learning_rate_factor(config, step, 0.0) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_short_run_reaches_its_peak_after_a_tenth() -> None:
    config = TrainConfig(warmup_steps=1000, schedule="constant")
    assert learning_rate_factor(config, 2, 2 / 20) == 1.0
    assert learning_rate_factor(config, 1, 1 / 20) == 0.5


def test_wsd_is_flat_then_linear() -> None:
    config = TrainConfig(warmup_steps=0, schedule="wsd", decay_fraction=0.2, min_lr_factor=0.1)
    assert learning_rate_factor(config, 10, 0.79) == 1.0
    assert learning_rate_factor(config, 10, 0.9) == pytest.approx(0.55)
    assert learning_rate_factor(config, 10, 1.0) == pytest.approx(0.1)


@given(
    schedule=st.sampled_from(["cosine", "wsd", "constant"]),
    step=st.integers(0, 10_000),
    progress=st.floats(-1, 2),
    warmup=st.integers(0, 1000),
)
def test_the_factor_is_never_negative_or_above_one(schedule: str, step: int, progress: float, warmup: int) -> None:
    config = TrainConfig(warmup_steps=warmup, schedule=schedule)  # type: ignore[arg-type]
    assert 0 < learning_rate_factor(config, step, progress) <= 1

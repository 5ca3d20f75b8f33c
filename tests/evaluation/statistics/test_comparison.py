"""Paired intervals against scipy's bootstrap, the normal approximation, and their promise to cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tuppence.evaluation.statistics.comparison import compare, paired_difference
from tuppence.evaluation.task import Scores, TaskResult


def scores(values: object, weights: object = None, data: str = "file") -> Scores:
    values = np.asarray(values, dtype=np.float64)
    return Scores(values, np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float), "rows", data)


def test_the_interval_equals_scipys_paired_bootstrap() -> None:
    random = np.random.default_rng(1)
    a, b = (random.random(400) < share for share in (0.5, 0.6))
    ours = paired_difference(scores(a), scores(b))
    theirs = stats.bootstrap(
        (b * 1.0 - a,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours is not None
    assert ours.difference == pytest.approx(b.mean() - a.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_units_are_weighted_by_their_size() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(50, 500, 300)
    bits_a = lengths * (2 + random.normal(0, 0.1, 300))
    bits_b = bits_a - lengths * (0.2 + random.normal(0, 0.02, 300))
    found = paired_difference(scores(bits_a, lengths), scores(bits_b, lengths))
    assert found is not None
    assert found.difference == pytest.approx((bits_b.sum() - bits_a.sum()) / lengths.sum())
    assert found.low < -0.2 < found.high
    assert found.high - found.low < 0.01  # paired: what the blocks have in common does not blur it


def test_95_of_100_intervals_contain_the_true_difference() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        common = random.random(150)
        a, b = common < 0.5, np.where(random.random(150) < 0.1, random.random(150) < 0.9, common < 0.5)
        found = paired_difference(scores(a), scores(b))
        assert found is not None
        held += found.low <= 0.04 <= found.high  # 0.1 × (0.9 - 0.5)
    assert 88 <= held <= 100


def test_the_same_scores_give_the_same_interval_and_no_difference_gives_none() -> None:
    a = scores(np.arange(50) % 2)
    b = scores(np.arange(50) % 3 == 0)
    assert paired_difference(a, b) == paired_difference(a, b)
    same = paired_difference(a, a)
    assert same is not None
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_other_rows_are_not_compared() -> None:
    assert paired_difference(scores([0, 1]), scores([0, 1], data="other")) is None
    assert paired_difference(scores([0, 1]), scores([0, 1, 1])) is None
    assert paired_difference(scores([0, 1], [1, 2]), scores([0, 1], [2, 1])) is None


def test_rows_that_one_run_left_out_are_not_compared() -> None:
    a = scores([0, 1, 1, 0] * 20, [1, 1, 0, 1] * 20)
    b = scores([1, 0, 1, 1] * 20, [1, 0, 1, 1] * 20)
    both = paired_difference(scores([0, 0] * 20), scores([1, 1] * 20))
    assert paired_difference(a, b) == both
    assert both is not None
    assert both.units == 40
    assert paired_difference(scores([0, 1], [1, 0]), scores([1, 1], [0, 1])) is None


def test_a_single_unit_has_no_interval() -> None:
    found = paired_difference(scores([0.25]), scores([0.5]))
    assert found is not None
    assert (found.difference, found.low, found.high, found.units) == (0.25, None, None, 1)


def test_every_run_is_compared_with_the_first() -> None:
    outcomes = {
        name: {"task": TaskResult({}, {"acc": scores(values)})}
        for name, values in {"a": [0, 0, 1], "b": [1, 1, 1], "c": [0, 0, 1]}.items()
    }
    found = compare(outcomes)
    assert found["reference"] == "a"
    assert {name: one["difference"] for name, one in found["tasks"]["task"]["acc"].items()} == {
        "b": pytest.approx(2 / 3),
        "c": 0,
    }

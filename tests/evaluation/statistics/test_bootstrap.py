"""Resamples and intervals, against scipy's bootstrap and the variances that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tuppence.evaluation.statistics import bootstrap as module
from tuppence.evaluation.statistics.bootstrap import Floats, bootstrap, interval, resamples


def test_each_resample_draws_as_many_rows_as_there_are_and_each_row_equally_often() -> None:
    drawn = np.concatenate(list(resamples(50, 4000, seed=1)))
    assert drawn.shape == (4000, 50)
    assert set(drawn.sum(axis=1)) == {50.0}
    assert np.abs(drawn.mean(axis=0) - 1).max() < 0.08  # 5 standard errors of 1 / sqrt(4000)
    assert drawn.var() == pytest.approx(1 - 1 / 50, rel=0.05)  # binomial(50, 1/50)


def test_draws_do_not_depend_on_how_many_resamples_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = resamples(20, 10, seed=3)
    monkeypatch.setattr(module, "_WEIGHTS_AT_ONCE", 60)
    parts = list(resamples(20, 10, seed=3))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_interval_of_a_mean_is_that_of_scipys_percentile_bootstrap() -> None:
    values_N = np.random.default_rng(0).gamma(2.0, size=200)

    def mean(weights_RN: Floats) -> Floats:
        return weights_RN @ values_N / weights_RN.sum(axis=1)

    means_R = bootstrap(mean, len(values_N), 10_000)
    assert means_R.std() == pytest.approx(values_N.std() / np.sqrt(200), rel=0.03)
    theirs = stats.bootstrap(
        (values_N,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert interval(means_R) == pytest.approx([theirs.low, theirs.high], abs=0.01)


def test_interval_leaves_out_undefined_values_and_is_none_if_most_are_undefined() -> None:
    assert interval(np.array([np.nan, 1.0, 1.0, np.inf])) == [1.0, 1.0]
    assert interval(np.array([np.nan, np.nan, 1.0])) is None

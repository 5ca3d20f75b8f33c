"""The bootstrap: 95 % intervals from resampled rows, for the metrics of one model and for differences of two.

Rows are drawn with replacement, many times; the middle 95 % of what a metric becomes is its interval (Efron and
Tibshirani 1993, chapter 13: percentile intervals). Draws are seeded: the same rows give the same interval. Two models
that are measured on the same draws give a paired interval of their difference.

Percentiles need more resamples the less they cost: `class_metrics` and rewards take `RESAMPLES`, comparisons of single
scores `COMPARISON_RESAMPLES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

RESAMPLES = 2000
COMPARISON_RESAMPLES = 10_000

_WEIGHTS_AT_ONCE = 2**21


def resamples(rows: int, count: int, seed: int = 0) -> Iterator[Floats]:
    """How often each row is drawn in each of `count` resamples: (some, N) at a time.

    Example:
        >>> parts = list(resamples(rows=4, count=3))
        >>> [part.shape for part in parts], parts[0].sum(axis=1).tolist()
        ([(3, 4)], [4.0, 4.0, 4.0])
    """
    random = np.random.default_rng(seed)
    step = max(1, _WEIGHTS_AT_ONCE // rows)
    for start in range(0, count, step):
        some = min(step, count - start)
        drawn = random.integers(0, rows, (some, rows)) + rows * np.arange(some)[:, None]
        yield np.bincount(drawn.ravel(), minlength=some * rows).reshape(some, rows).astype(np.float64)


def bootstrap(statistic: Callable[[Floats], Floats], rows: int, count: int, seed: int = 0) -> Floats:
    """A statistic of every resample, (count, …).

    Args:
        statistic: from weights of the rows, (R, N), to its R values.
    """
    return np.concatenate([statistic(weights_RN) for weights_RN in resamples(rows, count, seed)])


def interval(values: Floats) -> list[float] | None:
    """The middle 95 % of a statistic's resamples; None where it is undefined in most of them.

    Example:
        >>> [round(end, 3) for end in interval(np.linspace(0, 1, 1001))]
        [0.025, 0.975]
    """
    known = values[np.isfinite(values)]
    if len(known) * 2 < len(values):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return [float(low), float(high)]

"""The bootstrap: 95 % intervals from resampled rows, for the metrics of one model and for differences of two.

Rows are drawn with replacement many times, and a metric is computed for each resample. The middle 95 % of its values
are the interval (Efron and Tibshirani 1993, chapter 13: percentile intervals). The draws are seeded: the same rows give
the same interval. If two models are measured on the same draws, the interval of their difference is a paired one.

More resamples give more exact percentiles. Classification and rewards use `RESAMPLES`; comparisons of single scores,
which cost less, use `COMPARISON_RESAMPLES`.
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
    """Yields how often each row is drawn in each of `count` resamples, (R, N), with some resamples at a time.

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
    """Returns the values of a statistic for all resamples, (count, …).

    Args:
        statistic: returns R values for the weights of the rows, (R, N).
    """
    return np.concatenate([statistic(weights_RN) for weights_RN in resamples(rows, count, seed)])


def interval(values: Floats) -> list[float] | None:
    """Returns the ends of the middle 95 % of a statistic's values; None if most of them are undefined.

    Example:
        >>> [round(end, 3) for end in interval(np.linspace(0, 1, 1001))]
        [0.025, 0.975]
    """
    known = values[np.isfinite(values)]
    if len(known) * 2 < len(values):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return [float(low), float(high)]

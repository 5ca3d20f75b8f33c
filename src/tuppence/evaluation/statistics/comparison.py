"""Two runs on the same rows: how far apart are they, and how sure is that?

Paired bootstrap: the rows are drawn again with replacement, thousands of times, and each time the difference of the two
runs is taken on the *same* rows; the middle 95 % of these differences are the interval. Pairing removes what makes
rows easy or hard for both, so the interval is narrower than the two standard errors suggest. Koehn 2004, "Statistical
Significance Tests for Machine Translation Evaluation". The draws are seeded: the same scores give the same interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tuppence.evaluation.task import Scores, TaskResult

RESAMPLES = 10_000
METHOD = f"paired bootstrap, {RESAMPLES:,} resamples, middle 95 %"
_AT_ONCE = 2**22


@dataclass(frozen=True)
class Difference:
    """What a run has more (or less) than the reference.

    Attributes:
        difference: of the metric.
        low, high: the ends of its 95 % interval; None where it rests on one unit, which says nothing of others.
        units, unit: on how many rows (or windows of text) it rests.
    """

    difference: float
    low: float | None
    high: float | None
    units: int
    unit: str


def paired_difference(reference: Scores, other: Scores, seed: int = 0) -> Difference | None:
    """`other` minus `reference`; None where the two were not scored on the same units.

    Units that one of the two left out count for neither.

    Example:
        >>> def rows(values):
        ...     return Scores(np.array(values), np.ones(len(values)), "rows", "file")
        >>> paired_difference(rows([0.0, 1.0] * 50), rows([1.0, 1.0] * 50))
        Difference(difference=0.5, low=0.4, high=0.6, units=100, unit='rows')
    """
    if reference.data != other.data or reference.weights.shape != other.weights.shape:
        return None
    both = (reference.weights > 0) & (other.weights > 0)
    if not both.any() or not np.array_equal(reference.weights[both], other.weights[both]):
        return None
    values, weights = (other.values - reference.values)[both], reference.weights[both]
    difference, count = float(values.sum() / weights.sum()), len(values)
    if count < 2:
        return Difference(difference, None, None, count, reference.unit)
    random = np.random.default_rng(seed)
    drawn = []
    for start in range(0, RESAMPLES, step := max(1, _AT_ONCE // count)):
        rows = random.integers(0, count, (min(step, RESAMPLES - start), count))
        drawn.append(values[rows].sum(axis=1) / weights[rows].sum(axis=1))
    low, high = np.percentile(np.concatenate(drawn), [2.5, 97.5])
    return Difference(difference, float(low), float(high), count, reference.unit)


def compare(results: Mapping[str, Mapping[str, TaskResult]]) -> dict[str, Any]:
    """The differences of every run to the first, for every task and metric with scores.

    Args:
        results: run → task → its result.

    Returns:
        `{"reference", "method", "tasks": {task: {metric: {run: {difference, low, high, units, unit}}}}}`. Where two
        runs cannot be compared (other data, or text cut otherwise by another tokenizer), null.
    """
    reference, *others = results
    tasks: dict[str, Any] = {}
    for task, result in results[reference].items():
        for metric, scores in result.scores.items():
            for other in others:
                theirs = results[other][task].scores.get(metric) if task in results[other] else None
                difference = paired_difference(scores, theirs) if theirs is not None else None
                found = tasks.setdefault(task, {}).setdefault(metric, {})
                found[other] = asdict(difference) if difference is not None else None
    return {"reference": reference, "method": METHOD, "tasks": tasks}

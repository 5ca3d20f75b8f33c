"""Compares runs on the same rows: the difference of a metric, with a 95 % interval.

Paired bootstrap: each resample takes the difference of two runs on the *same* drawn rows. This removes the variance
that both runs share because some rows are easy and others hard, so the interval is narrower than the two standard
errors suggest. Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tuppence.evaluation.statistics.bootstrap import COMPARISON_RESAMPLES, Floats, bootstrap, interval
from tuppence.evaluation.task import Scores, TaskResult

METHOD = f"paired bootstrap, {COMPARISON_RESAMPLES:,} resamples, middle 95 %"


@dataclass(frozen=True)
class Difference:
    """The metric of a run minus that of the reference run.

    Attributes:
        difference: of the metric.
        low, high: the ends of its 95 % interval; None for a single unit.
        units, unit: the number of units compared, and their name (rows, or windows of text).
    """

    difference: float
    low: float | None
    high: float | None
    units: int
    unit: str


def paired_difference(reference: Scores, other: Scores, seed: int = 0) -> Difference | None:
    """Returns `other` minus `reference`; None if the two were not scored on the same units.

    Units that one of the two left out are not compared.

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

    def mean_differences(drawn_RN: Floats) -> Floats:
        return (drawn_RN @ values) / (drawn_RN @ weights)

    found = interval(bootstrap(mean_differences, count, COMPARISON_RESAMPLES, seed))
    assert found is not None  # all weights are above zero
    low, high = found
    return Difference(difference, low, high, count, reference.unit)


def compare(results: Mapping[str, Mapping[str, TaskResult]]) -> dict[str, Any]:
    """Returns the differences of every run to the first, for every task and metric that has scores.

    Args:
        results: run → task → its result.

    Returns:
        `{"reference", "method", "tasks": {task: {metric: {run: {difference, low, high, units, unit}}}}}`. The
        difference is None if two runs cannot be compared: their data differs, or their tokenizers cut the text
        differently.
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

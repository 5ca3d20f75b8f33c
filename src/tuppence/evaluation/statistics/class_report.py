"""What `tasks.classification` reports of a classifier's predictions: plain values ready for JSON.

Metrics with their intervals, the metrics of each class, the confusion matrix, the ROC curve, the mistakes of highest
confidence, and the comparison with the baselines. `class_metrics` defines the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuppence.data.records.labelled import LabelledText
from tuppence.evaluation.statistics.bootstrap import interval
from tuppence.evaluation.statistics.class_metrics import OF_CLASSES, Measures, Predictions, measures

SHOWN_MISTAKES = 12
ROC_POINTS = 200
MOST_SHOWN_CLASSES = 50
"""The confusion matrix of more classes is left out: nobody could read it."""

FEWEST_ROWS_FOR_A_VERDICT = 20
"""With fewer test rows the bootstrap's intervals mean little, and there is no verdict."""


def headline(predictions: Predictions, drawn: Measures, labels: Sequence[str]) -> dict[str, Any]:
    """Returns the metrics over all classes, and their intervals by the same names.

    Args:
        drawn: the metrics of the bootstrap's resamples.
    """
    found = {name: float(value[0]) for name, value in measures(predictions).items() if name not in OF_CLASSES}
    known = {name: _finite(value) for name, value in found.items()}
    named = "macro average" if predictions.positive is None else labels[predictions.positive]
    return {**known, "f1_of": named, "intervals": {name: interval(drawn[name]) for name in known}}


def by_class(predictions: Predictions, drawn: Measures, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns precision, recall and F1 of each class, with their intervals and the number of its rows."""
    found = measures(predictions)
    counts = np.bincount(predictions.gold, minlength=len(labels))
    return {
        label: {
            "rows": int(counts[number]),
            **{_short(name): _finite(float(found[name][0, number])) for name in OF_CLASSES},
            "intervals": {_short(name): interval(drawn[name][:, number]) for name in OF_CLASSES},
        }
        for number, label in enumerate(labels)
    }


def confusion(predictions: Predictions) -> list[list[int]] | None:
    """Returns the confusion matrix: a row for each true class, a column for each predicted one.

    Returns None for more than `MOST_SHOWN_CLASSES` classes.
    """
    from sklearn.metrics import confusion_matrix

    classes = predictions.probabilities.shape[1]
    if classes > MOST_SHOWN_CLASSES:
        return None
    found: list[list[int]] = confusion_matrix(
        predictions.gold, predictions.predicted, labels=list(range(classes))
    ).tolist()
    return found


def roc(predictions: Predictions) -> dict[str, list[float]] | None:
    """Returns at most `ROC_POINTS` points of the ROC curve.

    Returns None if there is no positive class, or if a class has no rows.
    """
    from sklearn.metrics import roc_curve

    if predictions.positive is None or len(set(predictions.gold.tolist())) < 2:
        return None
    wanted = predictions.gold == predictions.positive
    false_rate, true_rate, _ = roc_curve(wanted, predictions.probabilities[:, predictions.positive])
    kept = np.unique(np.linspace(0, len(false_rate) - 1, min(ROC_POINTS, len(false_rate))).round().astype(int))
    return {"false_positive_rate": false_rate[kept].tolist(), "true_positive_rate": true_rate[kept].tolist()}


def surest_mistakes(
    predictions: Predictions, rows: Sequence[LabelledText], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Returns the misclassified rows with the highest confidence."""
    confidence = predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(predictions.right == 0)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN_MISTAKES]
    return [
        {
            "text": rows[number].text,
            "label": rows[number].label,
            "predicted": labels[int(predictions.predicted[number])],
            "probability": float(confidence[number]),
        }
        for number in surest.tolist()
    ]


def against_baselines(models: Mapping[str, Predictions], drawn: Mapping[str, Measures]) -> dict[str, Any]:
    """Returns the differences to each baseline on the same resamples, and a verdict on the better baseline.

    Args:
        models: predictions of "model" and of the baselines, by name.
        drawn: their metrics on the bootstrap's resamples.

    Returns:
        `{"differences": {baseline: {metric: {difference, interval}}}, "verdict": a sentence}`; the verdict is None if
        there are too few test rows or F1 is undefined. Empty without baselines.
    """
    baselines = [name for name in models if name != "model"]
    if not baselines:
        return {}
    found = {name: measures(one) for name, one in models.items()}
    differences: dict[str, dict[str, Any]] = {}
    for name in baselines:
        differences[name] = {
            measure: {
                "difference": _finite(float(found["model"][measure][0] - found[name][measure][0])),
                "interval": interval(drawn["model"][measure] - drawn[name][measure]),
            }
            for measure in ("accuracy", "f1")
        }
    best = max(baselines, key=lambda name: np.nan_to_num(found[name]["f1"][0]))
    ours, theirs = _finite(float(found["model"]["f1"][0])), _finite(float(found[best]["f1"][0]))
    difference = differences[best]["f1"]
    enough = len(models["model"].gold) >= FEWEST_ROWS_FOR_A_VERDICT
    if not enough or ours is None or theirs is None or difference["interval"] is None:
        return {"differences": differences, "verdict": None}
    return {"differences": differences, "verdict": verdict(best, ours, theirs, difference)}


def verdict(baseline: str, ours: float, theirs: float, difference: Mapping[str, Any]) -> str:
    """Says in a sentence whether the language model is better than a baseline.

    Args:
        baseline: the better of the baselines, by F1.
        ours, theirs: F1 of the model and of that baseline.
        difference: ours minus theirs, with its 95 % interval.

    Example:
        >>> verdict("TF-IDF", 0.96, 0.90, {"difference": 0.06, "interval": [0.02, 0.11]})
        'The language model beats TF-IDF: F1 0.960 against 0.900, +0.060 (95 % interval +0.020 to +0.110).'
    """
    low, high = difference["interval"]
    numbers = f"F1 {ours:.3f} against {theirs:.3f}, {difference['difference']:+.3f}"
    numbers += f" (95 % interval {low:+.3f} to {high:+.3f})"
    if low > 0:
        return f"The language model beats {baseline}: {numbers}."
    if high < 0:
        return f"The language model is worse than {baseline}: {numbers}. Use the baseline here."
    return f"The language model is not shown to beat {baseline}: {numbers}. The baseline may be enough."


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _short(name: str) -> str:
    return name.removeprefix("class_")

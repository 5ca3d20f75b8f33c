"""The metrics of a classifier, for given weights of the rows.

Every measure is computed for many weightings at once. Weights of 1 give the measure itself; the number of times that
each row was drawn gives one resample of the bootstrap. So each measure has one definition, and thousands of resamples
are a few matrix products. The definitions are those of scikit-learn, and tests compare the two. Calibration follows Guo
et al. 2017 (arXiv:1706.04599), with ten bins of equal width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuppence.evaluation.statistics.bootstrap import RESAMPLES, Floats, resamples

Measures: TypeAlias = dict[str, Floats]
"""Measure → its values for R weightings, (R,); for the measures of `OF_CLASSES`, (R, C)."""

BINS = 10
OF_CLASSES = ("precision", "recall", "class_f1")
"""The measures that have one value for each class."""

_WORK = 4e9  # rows × classes × resamples; the number of resamples is reduced for larger work


@dataclass(frozen=True)
class Predictions:
    """The output of a classifier on rows with known classes.

    Attributes:
        gold: (N,) the true class of each row, as an id.
        probabilities: (N, C).
        positive: of two classes the one whose F1 is reported as `f1`; None for more classes, whose F1s are averaged.
    """

    gold: NDArray[np.int64]
    probabilities: Floats
    positive: int | None = None

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the most likely class of each row."""
        likeliest: NDArray[np.int64] = self.probabilities.argmax(axis=1).astype(np.int64)
        return likeliest

    @property
    def right(self) -> Floats:
        """(N,) 1 where the most likely class is the true one, else 0."""
        hits: Floats = (self.predicted == self.gold).astype(np.float64)
        return hits


def measures(predictions: Predictions, weights_RN: Floats | None = None) -> Measures:
    """Returns all measures for R weightings of the rows. Without weights every row weighs 1 (R = 1).

    - accuracy
    - precision, recall, class_f1: of each class, 0 where nothing was predicted. recall and class_f1 of a class without
      any row are NaN.
    - macro_f1: the mean F1 of the classes that have weight or were predicted, as in scikit-learn.
    - f1: the F1 of the positive class of two; macro_f1 of more classes.
    - auc: the area under the ROC curve of the positive class; for more than two classes the mean of one against the
      rest. NaN if a class is missing.
    - brier: the mean squared error of the probabilities, summed over the classes if there are more than two.
    - ece: the mean gap between confidence and accuracy over ten bins.
    """
    gold, probabilities = predictions.gold, predictions.probabilities
    rows, classes = probabilities.shape
    if weights_RN is None:
        weights_RN = np.ones((1, rows))
    total = weights_RN.sum(axis=1)
    gold_NC, predicted_NC = _one_hot(gold, classes), _one_hot(predictions.predicted, classes)
    hits = weights_RN @ (gold_NC * predicted_NC)
    actual, claimed = weights_RN @ gold_NC, weights_RN @ predicted_NC
    class_f1 = _ratio(2 * hits, actual + claimed)
    present = np.flatnonzero(gold_NC.any(axis=0))
    macro_f1 = _ratio(class_f1.sum(axis=1), (actual + claimed > 0).sum(axis=1))
    recall = _ratio(hits, actual)
    absent = np.flatnonzero(~gold_NC.any(axis=0))
    class_f1[:, absent] = recall[:, absent] = np.nan
    squares_NC = (probabilities - gold_NC) ** 2
    return {
        "accuracy": hits.sum(axis=1) / total,
        "f1": macro_f1 if predictions.positive is None else class_f1[:, predictions.positive],
        "macro_f1": macro_f1,
        "auc": _auc(predictions, weights_RN, present),
        "brier": weights_RN @ (squares_NC.sum(axis=1) / (2 if classes == 2 else 1)) / total,
        "ece": _calibration_error(predictions, weights_RN),
        "precision": _ratio(hits, claimed),
        "recall": recall,
        "class_f1": class_f1,
    }


def bootstrap_measures(models: Sequence[Predictions], seed: int = 0) -> list[Measures]:
    """Returns the measures of several models on resamples of the same rows; fewer resamples for very large work.

    Resample r is the same for all models, so `first["f1"] - second["f1"]` is a paired difference.
    """
    rows, classes = models[0].probabilities.shape
    count = int(min(RESAMPLES, max(200, _WORK / (rows * classes))))
    parts: list[list[Measures]] = [[] for _ in models]
    for weights_RN in resamples(rows, count, seed):
        for model, found in zip(models, parts, strict=True):
            found.append(measures(model, weights_RN))
    return [{name: np.concatenate([part[name] for part in found]) for name in found[0]} for found in parts]


def reliability(predictions: Predictions) -> list[dict[str, float]]:
    """Returns the mean confidence and the accuracy of each confidence bin that has rows."""
    confidence, bin_of_row = _confidence(predictions)
    found = []
    for number in np.unique(bin_of_row):
        inside = bin_of_row == number
        found.append(
            {
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(predictions.right[inside].mean()),
                "rows": int(inside.sum()),
            }
        )
    return found


def _one_hot(ids: NDArray[np.int64], classes: int) -> Floats:
    found = np.zeros((len(ids), classes))
    found[np.arange(len(ids)), ids] = 1.0
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _confidence(predictions: Predictions) -> tuple[Floats, NDArray[np.int64]]:
    """Returns the probability of the predicted class, (N,), and its bin. Bins are open on the left, as (0.9, 1.0]."""
    confidence = predictions.probabilities.max(axis=1)
    bins = np.ceil(confidence * BINS).astype(np.int64) - 1
    return confidence, bins.clip(0, BINS - 1)


def _calibration_error(predictions: Predictions, weights_RN: Floats) -> Floats:
    """Σ over bins of |Σ w (right − confidence)| / Σ w."""
    confidence, bin_of_row = _confidence(predictions)
    gaps_NB = _one_hot(bin_of_row, BINS) * (predictions.right - confidence)[:, None]
    found: Floats = np.abs(weights_RN @ gaps_NB).sum(axis=1) / weights_RN.sum(axis=1)
    return found


def _auc(predictions: Predictions, weights_RN: Floats, present: NDArray[np.int64]) -> Floats:
    classes = predictions.probabilities.shape[1]
    if classes == 2:
        present = np.array([1 if predictions.positive is None else predictions.positive])
    areas = [
        _area(predictions.probabilities[:, one], (predictions.gold == one).astype(np.float64), weights_RN)
        for one in present
    ]
    found: Floats = np.mean(areas, axis=0)
    return found


def _area(scores: Floats, is_positive: Floats, weights_RN: Floats) -> Floats:
    """Returns the probability that a positive row scores above a negative one; a tie counts half (Mann and Whitney)."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    positive = np.add.reduceat(weights_RN[:, order] * is_positive[order], starts, axis=1)
    negative = np.add.reduceat(weights_RN[:, order] * (1 - is_positive[order]), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    undefined = np.full(len(pairs), np.nan)
    found: Floats = np.divide((positive * below).sum(axis=1), pairs, out=undefined, where=pairs > 0)
    return found

"""The report of a classifier's predictions."""

from __future__ import annotations

import numpy as np
import pytest

from tuppence.data.records.labelled import LabelledText
from tuppence.evaluation.statistics.class_metrics import Predictions
from tuppence.evaluation.statistics.class_report import (
    MOST_SHOWN_CLASSES,
    SHOWN_MISTAKES,
    confusion,
    roc,
    surest_mistakes,
    verdict,
)


@pytest.mark.parametrize(
    ("ours", "interval", "said"),
    [
        (0.9, [0.1, 0.2], "beats B"),
        (0.7, [-0.2, 0.1], "is not shown to beat B"),
        (0.5, [-0.3, -0.1], "is worse than B"),
    ],
)
def test_the_verdict_depends_on_whether_the_interval_contains_zero(
    ours: float, interval: list[float], said: str
) -> None:
    assert said in verdict("B", ours, 0.75, {"difference": ours - 0.75, "interval": interval})


def test_mistakes_are_the_wrong_rows_by_confidence() -> None:
    gold = np.zeros(40, dtype=np.int64)
    second = np.linspace(0.3, 0.9, 40)
    rows = [LabelledText(f"text {number}", "ham") for number in range(40)]
    found = surest_mistakes(Predictions(gold, np.stack([1 - second, second], axis=1), 1), rows, ["ham", "spam"])
    assert [one["text"] for one in found] == [f"text {number}" for number in range(39, 39 - SHOWN_MISTAKES, -1)]
    assert {(one["label"], one["predicted"]) for one in found} == {("ham", "spam")}
    assert found[0]["probability"] == pytest.approx(0.9)


def test_no_confusion_matrix_of_very_many_classes_and_no_roc_curve_without_a_positive_class() -> None:
    few, many = (
        Predictions(np.arange(count), np.eye(count), None) for count in (MOST_SHOWN_CLASSES, MOST_SHOWN_CLASSES + 1)
    )
    matrix = confusion(few)
    assert matrix is not None
    assert np.array_equal(matrix, np.eye(MOST_SHOWN_CLASSES))
    assert confusion(many) is None
    assert roc(few) is None

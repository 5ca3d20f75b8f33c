"""The pictures of a classifier."""

from __future__ import annotations

from typing import Any

import pytest
from tests.figures.conftest import make_numbers

from tuppence.figures import classification
from tuppence.figures.classification import against_baselines, confusion_matrix, reliability_diagram, roc_curve
from tuppence.figures.svg import to_svg

pytest.importorskip("matplotlib")


def test_the_confusion_matrix_has_every_count_and_shades_shares(numbers: dict[str, Any]) -> None:
    figure = confusion_matrix(numbers)
    assert figure is not None
    axes = figure.axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["145", "146", "4", "5"]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["ham", "spam"]
    shades = [patch.get_alpha() for patch in axes.patches]
    assert shades == pytest.approx([0.9 * share for share in (146 / 150, 4 / 150, 5 / 150, 145 / 150)])


def test_curves_go_through_the_points_that_were_measured(numbers: dict[str, Any]) -> None:
    roc, calibration = roc_curve(numbers), reliability_diagram(numbers)
    assert roc is not None
    assert calibration is not None
    assert roc.axes[0].lines[1].get_xydata().tolist() == [[0, 0], [0.02, 0.96], [1, 1]]
    assert calibration.axes[0].lines[1].get_xydata().tolist() == [[0.66, 0.5], [0.99, 0.98]]


def test_bars_are_as_long_as_the_measures_and_carry_their_intervals(numbers: dict[str, Any]) -> None:
    figure = against_baselines(numbers)
    assert figure is not None
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.97, 0.5, 0.95, 0.96, 0.49, 0.94])
    first = axes.collections[0].get_segments()[0]
    assert first[:, 0].tolist() == pytest.approx([0.87, 0.99])


def test_what_was_not_measured_is_not_drawn() -> None:
    for draw in (confusion_matrix, reliability_diagram, roc_curve, against_baselines):
        assert draw({}) is None


def test_labels_are_no_formulas_and_no_markup(nasty: str) -> None:
    for label in ("$x^2$ & <b>", nasty):
        figure = confusion_matrix(make_numbers(label=label))
        assert figure is not None
        svg = to_svg(figure, "confusion", "label")
        assert "<script" not in svg
        assert "<b>" not in svg
    assert classification._name("costs $5 or $6") == r"costs \$5 or \$6"

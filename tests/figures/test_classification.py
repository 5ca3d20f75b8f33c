from __future__ import annotations

import math

import pytest

from tuppence.figures.classification import (
    DARKEST,
    plot_calibration,
    plot_confusion_matrix,
    plot_roc_curve,
    plot_scores,
)
from tuppence.figures.svg import to_svg

pytest.importorskip("matplotlib")

COUNTS = [[146, 4], [5, 145]]


def test_the_confusion_matrix_has_every_count_and_shades_shares() -> None:
    axes = plot_confusion_matrix(COUNTS, ["ham", "spam"]).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["145", "146", "4", "5"]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["ham", "spam"]
    shades = [patch.get_alpha() for patch in axes.patches]
    assert shades == pytest.approx([DARKEST * share for share in (146 / 150, 4 / 150, 5 / 150, 145 / 150)])


def test_the_curves_go_through_the_given_points() -> None:
    roc = plot_roc_curve([0, 0.02, 1], [0, 0.96, 1], positive="spam", area=0.97)
    calibration = plot_calibration([0.66, 0.99], [0.5, 0.98], [12, 288])
    assert roc.axes[0].lines[1].get_xydata().tolist() == [[0, 0], [0.02, 0.96], [1, 1]]
    assert calibration.axes[0].lines[1].get_xydata().tolist() == [[0.66, 0.5], [0.99, 0.98]]


def test_the_calibration_error_is_the_mean_gap_over_all_rows() -> None:
    title = plot_calibration([0.66, 0.99], [0.5, 0.98], [12, 288]).axes[0].get_title(loc="left")
    assert title == f"Calibration (expected error {(12 * 0.16 + 288 * 0.01) / 300:.3f})"


def test_bars_show_the_values_and_their_intervals() -> None:
    measures = {"accuracy": [(0.97, 0.87, 0.99), (0.5, 0.4, 0.6)], "F1": [(0.9, 0.8, 1.0), (math.nan,) * 3]}
    figure = plot_scores(["ours", "TF-IDF + logit"], measures)
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches[:3]] == pytest.approx([0.97, 0.5, 0.9])
    assert math.isnan(axes.patches[3].get_width())
    assert axes.collections[0].get_segments()[0][:, 0].tolist() == pytest.approx([0.87, 0.99])
    assert [one.get_text() for one in axes.get_yticklabels()] == ["ours", "TF-IDF +\nlogit"]


def test_dollars_in_labels_are_escaped_and_long_labels_are_cut() -> None:
    axes = plot_confusion_matrix(COUNTS, ["costs $5 or $6", "x" * 17]).axes[0]
    assert [one.get_text() for one in axes.get_yticklabels()] == [r"costs \$5 or \$6", "x" * 15 + "…"]


@pytest.mark.parametrize("label", ["$x^2$ & <b>", "bell \x07 \x00", "half \ud83d"])
def test_any_label_can_be_drawn_and_is_escaped(label: str, nasty: str) -> None:
    for text in (label, nasty):
        svg = to_svg(plot_confusion_matrix(COUNTS, ["ham", text]), "confusion", text)
        assert "<script" not in svg
        assert "<b>" not in svg
        svg.encode()

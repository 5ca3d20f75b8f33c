"""What the pictures of a whole life show is what they were given."""

from __future__ import annotations

import numpy as np
import pytest

from tuppence.figures.milestones import (
    exact_match_bars,
    margin_curve,
    preference_curve,
    right_by_kind,
    seconds_bar,
)


def test_bars_are_as_long_as_the_shares_and_their_whiskers_95_percent_wide() -> None:
    figure = exact_match_bars({"base": {"accuracy": 0.0, "stderr": 0.0}, "tuned": {"accuracy": 0.4, "stderr": 0.02}})
    assert figure is not None
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.0, 40.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["base", "tuned"]
    whisker = axes.collections[-1].get_segments()[0]
    assert whisker[:, 0].tolist() == pytest.approx([40 - 3.92, 40 + 3.92])


def test_kinds_are_sorted_by_the_best_model_and_named_with_their_rows() -> None:
    figure = right_by_kind(
        {
            "spell": {"rows": 5, "right": {"base": 0.0, "tuned": 0.2}},
            "swap": {"rows": 9, "right": {"base": 0.1, "tuned": 1.0}},
        }
    )
    assert figure is not None
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["swap (9)", "spell (5)"]
    tuned = np.asarray(axes.collections[1].get_offsets())
    assert tuned.tolist() == [[100.0, 0.0], [20.0, 1.0]]


def test_preferences_start_at_a_coin_s_half_and_margins_at_nothing() -> None:
    metrics = [{"step": 10, "val_rewards/accuracies": 0.7, "val_rewards/margins": 0.2}, {"step": 11, "loss": 1.0}]
    for draw, start, end in ((preference_curve, 50.0, 70.0), (margin_curve, 0.0, 0.2)):
        figure = draw(metrics)
        assert figure is not None
        line = figure.axes[0].lines[0]
        assert list(line.get_xdata()) == [0, 10]
        assert list(line.get_ydata()) == pytest.approx([start, end])


def test_the_time_of_a_stage_is_the_length_of_its_bar() -> None:
    figure = seconds_bar({"stories": 3.0, "pretrain": 114.0})
    assert figure is not None
    assert [bar.get_width() for bar in figure.axes[0].patches] == [3.0, 114.0]


def test_nothing_to_draw_is_no_figure() -> None:
    assert exact_match_bars({}) is None
    assert right_by_kind({}) is None
    assert preference_curve([{"step": 1, "loss": 2.0}]) is None
    assert seconds_bar({"stories": 0.0}) is None

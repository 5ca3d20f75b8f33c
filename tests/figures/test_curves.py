from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tuppence.figures.curves import (
    plot_gradient_norm,
    plot_learning_rate,
    plot_loss,
    plot_preference_accuracy,
    plot_reward_margin,
    plot_throughput,
)

STEPS = np.arange(1, 101)
LOSSES = 9.0 / STEPS**0.2
VAL_STEPS = STEPS[19::20]
VAL_LOSSES = 9.1 / VAL_STEPS**0.2 + (VAL_STEPS == 100)

CURVES = [plot_loss, plot_learning_rate, plot_gradient_norm, plot_throughput]


def test_the_loss_curve_has_all_points_and_marks_the_best_validation() -> None:
    figure = plot_loss(STEPS, LOSSES, VAL_STEPS, VAL_LOSSES)
    raw, smoothed, validation, best = figure.axes[0].get_lines()
    assert raw.get_ydata() == pytest.approx(LOSSES)
    assert len(smoothed.get_ydata()) == 100
    assert list(validation.get_xdata()) == [20, 40, 60, 80, 100]
    assert list(best.get_xdata()) == [80], "the last validation is worse than the one before"
    assert [text.get_text() for text in figure.axes[0].texts] == [f"best {9.1 / 80**0.2:.3f}"]


def test_a_second_axis_counts_tokens() -> None:
    figure = plot_loss(STEPS, LOSSES, token_steps=STEPS, tokens=STEPS * 512)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    (top,) = axes.child_axes
    assert np.asarray(top.get_xlim()) == pytest.approx(np.asarray(axes.get_xlim()) * 512)


@pytest.mark.parametrize("tokens", [[], [512] * 100, STEPS[::-1]], ids=["none", "constant", "falling"])
def test_without_a_growing_count_of_tokens_there_is_one_axis(tokens: Any) -> None:
    token_steps = STEPS[: len(tokens)]
    assert not plot_loss(STEPS, LOSSES, token_steps=token_steps, tokens=tokens).axes[0].child_axes


def test_a_single_spike_survives_thinning() -> None:
    steps = np.arange(1, 20_001)
    (line,) = plot_gradient_norm(steps, np.where(steps == 7777, 100.0, 1.0)).axes[0].get_lines()
    assert max(line.get_ydata()) == 100.0
    assert len(line.get_ydata()) < 1300


def test_gradient_norms_have_a_logarithmic_axis_unless_one_is_zero() -> None:
    assert plot_gradient_norm([1, 2], [0.5, 3.0]).axes[0].get_yscale() == "log"
    assert plot_gradient_norm([1, 2], [0.0, 3.0]).axes[0].get_yscale() == "linear"


def test_throughput_starts_at_zero() -> None:
    assert plot_throughput([1, 2], [900.0, 1000.0]).axes[0].get_ylim()[0] == 0


def test_the_axis_of_the_loss_is_not_stretched_by_the_first_steps() -> None:
    steps = np.arange(1, 1001)
    low, high = plot_loss(steps, np.where(steps < 20, 11.0, 2.0 + 1.0 / steps)).axes[0].get_ylim()
    assert low < 2.0 < high < 3.0


def test_preferences_start_at_one_half_and_margins_at_zero() -> None:
    for plot, values, expected in (
        (plot_preference_accuracy, [0.7], [50.0, 70.0]),
        (plot_reward_margin, [0.2], [0.0, 0.2]),
    ):
        line = plot([10], values).axes[0].lines[0]
        assert list(line.get_xdata()) == [0, 10]
        assert list(line.get_ydata()) == pytest.approx(expected)


@pytest.mark.parametrize("plot", CURVES)
@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, 1e30, 5], ids=["zero", "negative", "tiny", "huge", "whole number"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_finite_numbers_can_be_drawn(plot: Callable[..., Any], value: float, count: int) -> None:
    figure = plot(range(count), [value] * count)
    figure.draw_without_rendering()
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == [value] * count


@pytest.mark.parametrize("plot", CURVES)
def test_nan_and_infinity_are_left_out(plot: Callable[..., Any]) -> None:
    figure = plot([1, 2, 3, 4], [3.0, float("nan"), float("inf"), 2.0])
    assert figure.axes[0].get_lines()[0].get_xdata().tolist() == [1, 4]

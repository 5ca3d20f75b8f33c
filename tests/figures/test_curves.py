from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tuppence.figures import curves

METRICS = [
    {
        "step": step,
        "loss": 9.0 / step**0.2,
        "learning_rate": 1e-3 * step / 100,
        "grad_norm": 1.0 + 50.0 * (step == 40),
        "tokens": step * 512,
        "tokens_per_second": 1000.0,
        **({"val_loss": 9.1 / step**0.2 + (step == 100)} if step % 20 == 0 else {}),
    }
    for step in range(1, 101)
]
ALL = [
    curves.loss_curve,
    curves.learning_rate_curve,
    curves.gradient_norm_curve,
    curves.throughput_curve,
]


def test_the_loss_curve_shows_what_was_logged() -> None:
    figure = curves.loss_curve(METRICS)
    assert figure is not None
    raw, smoothed, validation, best = figure.axes[0].get_lines()
    assert raw.get_ydata() == pytest.approx([row["loss"] for row in METRICS])
    assert len(smoothed.get_ydata()) == 100
    assert list(validation.get_xdata()) == [20, 40, 60, 80, 100]
    assert list(best.get_xdata()) == [80], "the last validation is worse than the one before"
    assert [text.get_text() for text in figure.axes[0].texts] == [f"best {9.1 / 80**0.2:.3f}"]


def test_the_second_axis_counts_tokens() -> None:
    figure = curves.loss_curve(METRICS)
    assert figure is not None
    figure.draw_without_rendering()
    axes = figure.axes[0]
    (top,) = axes.child_axes
    assert np.asarray(top.get_xlim()) == pytest.approx(np.asarray(axes.get_xlim()) * 512)


def test_without_tokens_there_is_one_axis() -> None:
    figure = curves.loss_curve([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}])
    assert figure is not None
    assert not figure.axes[0].child_axes


def test_a_spike_survives_thinning() -> None:
    metrics = [{"step": step, "grad_norm": 100.0 if step == 7777 else 1.0} for step in range(1, 20_001)]
    figure = curves.gradient_norm_curve(metrics)
    assert figure is not None
    (line,) = figure.axes[0].get_lines()
    assert max(line.get_ydata()) == 100.0
    assert len(line.get_ydata()) < 1300


@pytest.mark.parametrize("draw", ALL)
def test_nothing_logged_is_no_picture(draw: Callable[..., Any]) -> None:
    assert draw([]) is None
    assert draw([{"step": 1}, {"step": 2, "loss": None, "grad_norm": "x"}]) is None


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, 1e30, 5], ids=["zero", "negative", "tiny", "huge", "whole number"])
def test_any_finite_numbers_can_be_drawn(draw: Callable[..., Any], value: float) -> None:
    keys = ("loss", "val_loss", "learning_rate", "grad_norm", "tokens_per_second", "tokens")
    for steps in (1, 2, 5):
        figure = draw([{"step": step, **dict.fromkeys(keys, value)} for step in range(steps)])
        figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("rate", "label"), [(0.0, "0"), (1e-3, "1e-3"), (0.0025, "2.5e-3"), (6e-4, "6e-4"), (1.0, "1e0")]
)
def test_learning_rates_read_as_people_write_them(rate: float, label: str) -> None:
    assert curves._plain_or_scientific(rate) == label

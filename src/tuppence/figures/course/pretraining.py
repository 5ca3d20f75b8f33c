"""Chapter 5: losses by step, of several runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tuppence.figures.course.series import ends_of, finite_points, plot_series
from tuppence.figures.style import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def loss_curves(
    curves: Mapping[str, tuple[Array, Array]],
    *,
    x_label: str = "step",
    unit: str = "loss, nats per token",
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows the losses of several runs, each named at its end.

    Args:
        curves: name of the run → its steps and its losses.
        x_label: of the steps.
        unit: of the losses.
        title: the message; by default, the lowest last loss.
        alt: the description; by default, the last loss of each run.
    """
    last = {name: finite_points(*points)[1] for name, points in curves.items()}
    best = min((name for name in last if len(last[name])), key=lambda name: last[name][-1], default="")
    found = f"Lowest at the end: {' '.join(best.split())}, {last[best][-1]:.2f}" if best else "Loss by step"
    figure, _ = plot_series(
        curves,
        title=title or found,
        alt=alt or f"Losses by step; at the end: {ends_of(curves) or 'none'}.",
        x_label=x_label,
        y_unit=unit,
    )
    return figure

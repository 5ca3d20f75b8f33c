"""Figures of the costs of training: dollars over time, and seconds by purpose and by stage.

Each function takes arrays and returns a Figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tuppence.core.numbers import duration
from tuppence.figures.format import dollars_label
from tuppence.figures.style import (
    BLUE,
    DASHED,
    MEDIUM,
    MUTED,
    ORANGE,
    PALETTE,
    SMALL,
    YELLOW,
    Array,
    Size,
    new_figure,
    styled,
    thin,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIME_COLOURS = {
    "training": "blue",
    "start-up": "purple",
    "evaluation": "orange",
    "checkpoints": "green",
    "everything else": "muted",
}
"""Purpose in `plot_time_shares` → the name of its colour in the palette."""


def plot_dollars(seconds: Array, dollars: Array, *, budget: float | None = None, size: Size = SMALL) -> Figure:
    """Plots dollars over wall time, with the budget as a line.

    Args:
        seconds, dollars: the points of the curve, ascending in time.
        budget: in dollars.
        size: width and height in inches.
    """
    times, spent = np.asarray(seconds, dtype=float), np.asarray(dollars, dtype=float)
    with styled():
        figure, axes = new_figure(
            "Dollars", size, alt=f"Dollars by time: {dollars_label(max(spent, default=0))} spent."
        )
        unit, seconds_of_unit = ("hours", 3600) if max(times, default=0) >= 7200 else ("minutes", 60)
        axes.plot(*thin(times / seconds_of_unit, spent), color=YELLOW)
        if budget:
            axes.axhline(budget, color=ORANGE, linewidth=1.2, linestyle=DASHED)
            axes.annotate(
                f"budget {dollars_label(budget)}",
                (0, budget),
                textcoords="offset points",
                xytext=(2, 4),
                color=MUTED,
                fontsize=9,
            )
        axes.set_ylim(0, max(budget or 0.0, max(spent, default=0.0)) * 1.18 or 1.0)
        axes.yaxis.set_major_formatter(dollars_label)
        ticks(axes)
        axes.set_xlabel(unit, loc="right")
    return figure


def plot_time_shares(seconds: Mapping[str, float], *, legend: bool = True, size: Size = (5.0, 1.4)) -> Figure:
    """Plots one bar that is divided into the shares of the purposes.

    Args:
        seconds: purpose → seconds; the purposes of `TIME_COLOURS` have their own colours.
        legend: add a legend below the bar.
        size: width and height in inches.
    """
    total = sum(seconds.values()) or 1.0
    shares = ", ".join(f"{name} {part / total:.0%}" for name, part in seconds.items())
    with styled():
        figure, axes = new_figure("", size, alt=f"Shares of the wall time: {shares or 'none'}.")
        start = 0.0
        for name, part in seconds.items():
            share = part / total
            colour = PALETTE[TIME_COLOURS.get(name, "muted")]
            axes.barh(0, share, left=start, height=0.5, color=colour, label=f"{name} {share:.0%}")
            start += share
        axes.set_xlim(0, 1)
        axes.set_axis_off()
        if legend and seconds:
            axes.legend(loc="upper left", bbox_to_anchor=(-0.01, 0.05), ncols=3 if size[0] < 6 else 5, handlelength=0.9)
    return figure


def plot_stage_seconds(seconds: Mapping[str, float], *, size: Size = MEDIUM) -> Figure:
    """Plots the wall time of each stage as a horizontal bar.

    Args:
        seconds: stage → seconds.
        size: width and height in inches.
    """
    with styled():
        from matplotlib.ticker import MaxNLocator

        times = ", ".join(f"{name} {duration(part)}" for name, part in seconds.items())
        figure, axes = new_figure("", size, alt=f"Wall time by stage: {times or 'none'}.")
        axes.barh(range(len(seconds)), list(seconds.values()), height=0.62, color=BLUE, alpha=0.85)
        axes.set_yticks(range(len(seconds)), list(seconds))
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.set_xlabel("seconds", loc="right")
    return figure

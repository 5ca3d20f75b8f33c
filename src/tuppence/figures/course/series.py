"""Named curves in one chart. Called by the figures of the chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.course.labels import name_ends
from tuppence.figures.course.layout import COLOURS, MARKERS, chart, unit
from tuppence.figures.format import count_label
from tuppence.figures.style import Array, Floats, drawable, finite_points, styled, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_MARKERS = 25
"""Curves of more points have no markers."""


def plot_series(
    curves: Mapping[str, tuple[Array, Array]],
    *,
    title: str,
    alt: str,
    x_label: str,
    y_unit: str,
    log_x: bool = False,
    log_y: bool = False,
    y_limits: tuple[float, float] | None = None,
    height: float = 2.9,
    colours: Sequence[str] = COLOURS,
) -> tuple[Figure, Axes]:
    """Plots curves and names each at its end.

    Args:
        curves: name → the x and y values; NaN and infinite points are left out.
        title, alt: see `layout.chart`.
        x_label, y_unit: of the axes.
        log_x, log_y: logarithmic axes, whose ticks are the x values themselves if there are at most seven.
        y_limits: of the y axis; by default, those of the points.
        height: in inches, without the title.
        colours: of the curves; as many as there are curves, or more.
    """
    with styled():
        figure, (axes,) = chart(title, height, alt=alt)
        axes.set_xscale("log" if log_x else "linear")
        axes.set_yscale("log" if log_y else "linear")
        ends = []
        for number, (name, points) in enumerate(curves.items()):
            x, y = finite_points(*points)
            colour, marker = colours[number % len(colours)], MARKERS[number % len(MARKERS)]
            marks: dict[str, Any] = {"marker": marker, "markersize": 5} if len(x) <= MOST_MARKERS else {}
            axes.plot(*thin(x, y), color=colour, **marks)
            if len(y) and name:
                ends.append((float(x[-1]), float(y[-1]), name, colour))
        if y_limits is not None:
            axes.set_ylim(y_limits)
        round_ticks(axes, [np.asarray(x, dtype=float) for x, _ in curves.values()], log_x=log_x, log_y=log_y)
        unit(axes, y_unit)
        axes.set_xlabel(drawable(x_label), loc="right")
        name_ends(figure, axes, ends)
    return figure, axes


def round_ticks(axes: Axes, xs: Sequence[Floats], *, log_x: bool = False, log_y: bool = False) -> None:
    """Sets few ticks: the x values themselves if they are few, and round numbers otherwise."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    places = np.unique(np.concatenate(xs)) if xs else np.array([])
    along = np.log(places) if log_x else places
    if 1 < len(places) <= 7 and np.diff(along).min() > 0.11 * np.ptp(along):
        axes.set_xticks(places)
    elif log_x:
        axes.xaxis.set_major_locator(LogLocator(subs=_subdivisions(axes.get_xlim())))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    if log_y:
        axes.yaxis.set_major_locator(LogLocator(subs=_subdivisions(axes.get_ylim())))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(_tick_label)
    axes.yaxis.set_major_formatter(_tick_label)


def _subdivisions(limits: tuple[float, float]) -> tuple[int, ...]:
    """Returns the multiples of powers of ten that have ticks: more of them on an axis of few powers."""
    return (1, 2, 5) if limits[1] < 100 * limits[0] else (1,)


def _tick_label(value: float, _: object = None) -> str:
    """Formats whole numbers below ten thousand in full: a vocabulary of 2,048 is not 2.05k."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 10_000 else count_label(value)


def ends_of(curves: Mapping[str, Any]) -> str:
    """Describes curves by their last values: "one layer 2.35, two layers 0.03"."""
    last = {" ".join(name.split()): finite_points(*points)[1] for name, points in curves.items()}
    return ", ".join(f"{name} {values[-1]:.3g}" for name, values in last.items() if len(values))

"""Names of curves, points and rows in the charts of the course, where they are instead of in a legend.

Names that would overlap move apart, as little as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.course.layout import SMALL_TEXT, text_width
from tuppence.figures.format import shorten
from tuppence.figures.style import INK, MUTED, Array, Floats, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def name_ends(figure: Figure, axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names curves next to their last points; at the right edge of the axes, names move so that none overlap.

    The limits and the scales of the axes must be final.

    Args:
        figure, axes: the chart.
        ends: last x and y value, name (with line breaks) and colour of each curve.
    """
    height = 72 * figure.get_size_inches()[1] * 0.62
    shares = _shares(axes, [end[0] for end in ends], [end[1] for end in ends])
    names = ["\n".join(shorten(line, 20) for line in end[2].split("\n")) for end in ends]
    for (x, y, _, colour), name, share in zip(ends, names, shares, strict=True):
        if share[0] < 0.9:
            beside(axes, x, y, name, 7, colour)
    edge = [at for at, share in enumerate(shares) if share[0] >= 0.9]
    lines = [1.25 * SMALL_TEXT * (ends[at][2].count("\n") + 1) / height for at in edge]
    for at, place in zip(edge, spread([shares[at][1] for at in edge], lines), strict=True):
        axes.annotate(
            drawable(names[at]),
            (1, place),
            xycoords="axes fraction",
            textcoords="offset points",
            xytext=(7, 0),
            va="center",
            color=ends[at][3],
            fontsize=SMALL_TEXT,
            linespacing=1.15,
        )


def beside(axes: Axes, x: float, y: float, text: str, points: float, colour: str) -> None:
    """Writes text at a distance to the right of a point of a chart, or to its left for a negative distance."""
    axes.annotate(
        drawable(text),
        (x, y),
        textcoords="offset points",
        xytext=(points, 0),
        ha="left" if points > 0 else "right",
        va="center",
        color=colour,
        fontsize=SMALL_TEXT,
    )


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names the rows of a horizontal chart, the first at the top."""
    axes.set_yticks(range(len(names)), [drawable(shorten(name, 26)) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.5, -0.55)
    axes.grid(visible=False, axis="y")


def name_points(figure: Figure, axes: Axes, x: Floats, y: Floats, names: Sequence[str], *, above: bool = True) -> None:
    """Names points to their right, without overlaps; a line leads to a name that had to move.

    The limits and scales of the axes must be final, and the names short: they move up and down, not sideways.

    Args:
        figure, axes: the chart.
        x, y: (N,), the points.
        names: of the N points.
        above: a little above their points, where a falling curve leaves room; else below, for a rising one.
    """
    rise = 9 if above else -9
    size = 72 * figure.get_size_inches() * (0.86, 0.62)
    shares = _shares(axes, x, y)
    left, wanted = shares[:, 0] * size[0], shares[:, 1] * size[1] + rise
    widths = [72 * text_width(name, SMALL_TEXT) for name in names]
    placed = wanted.copy()
    for group in _overlapping_groups(left, left + widths):
        placed[group] = spread(wanted[group], [1.3 * SMALL_TEXT] * len(group))
    for at, name in enumerate(names):
        moved = placed[at] - wanted[at]
        line: dict[str, Any] = (
            {"arrowprops": {"arrowstyle": "-", "color": MUTED, "linewidth": 0.7}} if abs(moved) > 6 else {}
        )
        axes.annotate(
            drawable(shorten(name, 20)),
            (x[at], y[at]),
            textcoords="offset points",
            xytext=(7, rise + moved),
            va="center",
            fontsize=SMALL_TEXT,
            color=INK,
            **line,
        )


def _shares(axes: Axes, x: Array, y: Array) -> Floats:
    """Returns the places of points as shares of the width and the height of the axes, (N, 2)."""
    axes.get_xlim()  # applies pending changes of the limits
    points = np.column_stack((np.asarray(x, dtype=float), np.asarray(y, dtype=float)))
    return np.asarray((axes.transScale + axes.transLimits).transform(points), dtype=float)


def _overlapping_groups(starts: Floats, ends: Floats) -> list[list[int]]:
    """Returns the indices of intervals, in groups that overlap directly or through others."""
    groups: list[list[int]] = []
    reached = -np.inf
    for at in np.argsort(starts, kind="stable"):
        if starts[at] < reached and groups:
            groups[-1].append(int(at))
        else:
            groups.append([int(at)])
        reached = max(reached, ends[at])
    return groups


def spread(places: Sequence[float] | Floats, sizes: Sequence[float]) -> Floats:
    """Moves intervals of the given sizes along a line until none overlap; as little as possible.

    Args:
        places: the wanted centres.
        sizes: of the intervals.

    Returns:
        The centres, in the order of the arguments. Least squares under the constraints, which is isotonic regression
        of the places minus the room that the intervals before them need (pool adjacent violators).

    Example:
        >>> spread([0.0, 0.1, 5.0], [1, 1, 1]).round(2).tolist()
        [-0.45, 0.55, 5.0]
    """
    wanted, size = np.asarray(places, dtype=float), np.asarray(sizes, dtype=float)
    order = np.argsort(wanted, kind="stable")
    room = np.concatenate(([0.0], np.cumsum((size[order][:-1] + size[order][1:]) / 2)))[: len(order)]
    pools: list[tuple[float, int]] = []
    for value in wanted[order] - room:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (mean, count), (last, more) = pools[-2:]
            pools[-2:] = [((mean * count + last * more) / (count + more), count + more)]
    found = np.empty(len(order))
    found[order] = np.repeat([mean for mean, _ in pools], [count for _, count in pools]) + room
    return found

"""How every picture looks: calm axes, and colours that people with colour blindness can tell apart.

The colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/); each has a name here, and `svg` turns the names
into variables of the page, so that one picture serves a light page and a dark one. No pyplot: figures are made
directly, which needs no display and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuppence.core.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1d2330"
MUTED = "#667085"
GRID = "#e3e6eb"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PURPLE = "#aa5590"
YELLOW = "#e69f00"

PALETTE = {"ink": INK, "muted": MUTED, "grid": GRID, "blue": BLUE, "orange": ORANGE, "green": GREEN}
PALETTE |= {"purple": PURPLE, "yellow": YELLOW}
"""Colour names, as the page's variables are called."""

WIDE = (8.4, 3.6)
SMALL = (4.2, 2.6)
"""Sizes in inches; pages scale pictures to their width, so a phone is given the small one."""

MAX_POINTS = 1200
"""A curve is thinned to this many points: more are smaller than a pixel and make pages slow."""

_SETTINGS: Any = {  # matplotlib types its keys one by one
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.xmargin": 0.015,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text stays text: small, sharp, searchable, in the page's own font
    "svg.hashsalt": "tuppence",  # the same run gives the same bytes
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """A block in which matplotlib draws in our style; its settings are put back at the end.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing") from error
    with matplotlib.rc_context(_SETTINGS):
        yield


def new_figure(title: str, size: tuple[float, float] = SMALL) -> tuple[Figure, Axes]:
    """A figure with one titled pair of axes, which a notebook shows. Call inside `styled()`."""
    from tuppence.figures.notebook import NotebookFigure

    figure = NotebookFigure(figsize=size)
    axes = figure.add_subplot()
    if title:
        axes.set_title(title, pad=8)
    return figure, axes


def ticks(axes: Axes, *, whole_steps: bool = False) -> None:
    """Few, round ticks on both axes."""
    from matplotlib.ticker import MaxNLocator

    round_steps = [1, 2, 2.5, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=whole_steps, steps=round_steps))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=round_steps))


def count_label(value: float, _: object = None) -> str:
    """A number as an axis shows it: 1,500 → 1.5k.

    Example:
        >>> [count_label(value) for value in (0, 250, 1_500, 20_000, 3_500_000, 2e9)]
        ['0', '250', '1.5k', '20k', '3.5M', '2G']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def dollars_label(value: float, _: object = None) -> str:
    """Dollars and cents, and what is below a cent where there is less than a dollar.

    Example:
        >>> [dollars_label(value) for value in (0, 0.0123, 0.1, 2.5, 1234)]
        ['$0.00', '$0.0123', '$0.10', '$2.50', '$1,234.00']
    """
    if value >= 1 or value == 0:
        return f"${value:,.2f}"
    whole, _, fraction = f"{value:.4f}".partition(".")
    return f"${whole}.{fraction.rstrip('0'):0<2}"


def smooth(values: Sequence[float]) -> list[float]:
    """Exponential moving average over about an eightieth of the points; up to 80 points stay as they are.

    The bias of its start is corrected as in Adam (Kingma and Ba 2015, arXiv:1412.6980, section 3).

    Example:
        >>> smooth([2.0, 2.0, 2.0])
        [2.0, 2.0, 2.0]
    """
    weight = 1 - min(1.0, 80 / max(1, len(values)))
    smoothed: list[float] = []
    total = norm = 0.0
    for value in values:
        total = weight * total + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        smoothed.append(total / norm)
    return smoothed


def thin(x: Sequence[float], y: Sequence[float], limit: int = MAX_POINTS) -> tuple[NDArray[Any], NDArray[Any]]:
    """At most `limit` points of a curve that keep its look: the lowest and the highest of each bin.

    Averaging would hide the spikes, which are what a person looks for in a loss or a gradient norm.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(xs) <= limit:
        return xs, ys
    kept: set[int] = {0, len(xs) - 1}
    for part in np.array_split(np.arange(len(xs)), limit // 2 - 1):
        kept.add(int(part[np.argmin(ys[part])]))
        kept.add(int(part[np.argmax(ys[part])]))
    order = sorted(kept)
    return xs[order], ys[order]

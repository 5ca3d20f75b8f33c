"""The style of all figures: settings of matplotlib, sizes, and colours that colour-blind people can distinguish.

The colours start from those of Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened until text in them has enough
contrast on white: a curve and its label have the same colour. `svg` replaces them by CSS variables of the page, so that
a figure suits light and dark pages. Figures are made without pyplot: they need no display and change no global state.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuppence.core.errors import MissingExtraError
from tuppence.figures.format import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1d2330"
MUTED = "#667085"
GRID = "#e3e6eb"
BLUE = "#0068b8"
ORANGE = "#b84a00"
GREEN = "#007a5a"
PURPLE = "#9b4a94"
YELLOW = "#d08f00"
"""For lines and areas only: text in it has too little contrast."""

PALETTE = {"ink": INK, "muted": MUTED, "grid": GRID, "blue": BLUE, "orange": ORANGE, "green": GREEN}
PALETTE |= {"purple": PURPLE, "yellow": YELLOW}
"""Name of a CSS variable of the pages → colour."""

DARK_PALETTE = {"ink": "#e8ebf0", "muted": "#9aa4b5", "grid": "#2b323e", "blue": "#5db7ee", "orange": "#ff8748"}
DARK_PALETTE |= {"green": "#3fcfa0", "purple": "#e07cc4", "yellow": "#f7d154"}
"""Name → colour on dark pages. The style sheets of pages have the same values."""

FALLBACK_FONTS = (
    *("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("Noto Sans Devanagari", "Lohit Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Telugu"),
    *("Noto Sans Thai", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Ethiopic", "Noto Emoji"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Devanagari Sangam MN", "Thonburi"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Leelawadee UI", "Segoe UI Symbol"),
    *("Arial Unicode MS", "Unifont"),
)
"""Of Linux, macOS and Windows, for characters that DejaVu lacks: those that are installed are used, in this order."""

DASHED = (0, (4, 3))
"""The line style of reference lines: budgets, chance, the diagonal."""

Array: TypeAlias = ArrayLike
Floats: TypeAlias = NDArray[np.float64]
Size: TypeAlias = tuple[float, float]

WIDE: Size = (8.4, 3.6)
MEDIUM: Size = (5.0, 3.2)
SMALL: Size = (4.2, 2.6)
SQUARE: Size = (4.2, 3.6)
"""Sizes in inches. A page scales its figures to its width, so a phone shows a small or medium one."""

MAX_POINTS = 1200
"""A curve is reduced to this many points. More points are smaller than a pixel and make pages slow."""

_SETTINGS: Any = {  # matplotlib's type lists all keys
    "font.family": "sans-serif",
    "font.sans-serif": [
        "DejaVu Sans",
        "Verdana",
        "Arial",
        "sans-serif",
    ],  # a page without the first has one of the others
    "font.monospace": ["DejaVu Sans Mono", "Menlo", "Consolas", "monospace"],
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
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text as text, not as paths: small, sharp, searchable, in the font of the page
    "svg.hashsalt": "tuppence",  # the same run gives the same bytes
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Gives matplotlib our settings inside the context.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # its import warns of a home that cannot be written, which does no harm
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing") from error
    finally:
        log.setLevel(level)
    with matplotlib.rc_context(_SETTINGS):
        yield


@contextlib.contextmanager
def without_font_warnings() -> Iterator[None]:
    """Silences warnings of letters that the font lacks (Chinese, emoji), for which a browser has other fonts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new_figure(title: str, size: tuple[float, float] = SMALL, *, alt: str) -> tuple[Figure, Axes]:
    """Returns a figure with titled axes, which a notebook displays. Call it inside `styled()`.

    Args:
        title: of the axes; empty for none.
        size: width and height in inches.
        alt: what the figure shows, in words.
    """
    from tuppence.figures.notebook import NotebookFigure

    figure = NotebookFigure(figsize=size)
    figure.alt = " ".join(alt.split())
    axes = figure.add_subplot()
    if title:
        axes.set_title(title, pad=8)
    return figure, axes


def drawable(text: str) -> str:
    """Returns text that matplotlib draws unchanged: printable, and with escaped dollars, which would begin a formula.

    Example:
        >>> drawable("$5")
        '\\\\$5'
    """
    return printable(text).replace("$", r"\$")


def families(*, mono: bool = False) -> list[str]:
    """Returns the font families of a text: ours, then the installed ones of `FALLBACK_FONTS`."""
    return ["monospace" if mono else "sans-serif", *_installed(FALLBACK_FONTS)]


@cache
def _installed(names: tuple[str, ...]) -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    found = set(fontManager.get_font_names())
    return tuple(name for name in names if name in found)


@cache
def _drawable_characters(names: tuple[str, ...]) -> frozenset[int]:
    """The characters of the first font of each family."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset().union(*(get_font(findfont(FontProperties(family=[name]))).get_charmap() for name in names))


def with_escapes(text: str, *, mono: bool = False) -> str:
    """Replaces the characters that no font here can draw by Python's escapes. Call it inside `styled()`.

    matplotlib would draw the same empty box for each of them.

    Example:
        >>> with styled():
        ...     with_escapes("\U0010fffd is private")
        '\\\\U0010fffd is private'
    """
    known = _drawable_characters(tuple(families(mono=mono)))
    return "".join(
        letter if letter in "\n\t" or ord(letter) in known else letter.encode("unicode_escape").decode()
        for letter in printable(text)
    )


def ticks(axes: Axes, *, whole_steps: bool = False) -> None:
    """Sets few, round ticks on both axes."""
    from matplotlib.ticker import MaxNLocator

    round_steps = [1, 2, 2.5, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=whole_steps, steps=round_steps))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=round_steps))


def finite_points(x: Array, y: Array) -> tuple[Floats, Floats]:
    """Returns the points whose coordinates are both finite."""
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    known = np.isfinite(xs) & np.isfinite(ys)
    return xs[known], ys[known]


def smooth(values: Array) -> Floats:
    """Returns the exponential moving average over about an eightieth of the points; up to 80 points are unchanged.

    The bias of the first values is corrected as in Adam (Kingma and Ba 2015, arXiv:1412.6980, section 3).

    Example:
        >>> smooth([2.0, 2.0, 2.0])
        array([2., 2., 2.])
    """
    points = np.asarray(values, dtype=float)
    weight = 1 - min(1.0, 80 / max(1, len(points)))
    smoothed: list[float] = []
    total = norm = 0.0
    for value in points.tolist():
        total = weight * total + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        smoothed.append(total / norm)
    return np.array(smoothed)


def thin(x: Array, y: Array, limit: int = MAX_POINTS) -> tuple[Floats, Floats]:
    """Reduces a curve to at most `limit` points: the lowest and the highest of each bin.

    Averages would hide the spikes of a loss or a gradient norm.
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

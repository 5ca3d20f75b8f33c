"""The layout of the figures of the course: charts with a message as title, and drawings in inches.

A figure is 5 inches wide, so a text of 10 points is 10 pixels high where the figure is shown 360 pixels wide, as on a
phone. The title says the one thing that the figure shows; the unit of the y axis stands at its top; a curve has its
name at its end instead of a legend.
"""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuppence.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    drawable,
    families,
    styled,
    with_escapes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 5.0
"""Of every figure, in inches."""

TITLE, TEXT, SMALL_TEXT = 12.0, 10.0, 9.5
"""Sizes of text in points, which are pixels where the figure is 360 pixels wide."""

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, MUTED)
MARKERS = ("o", "s", "^", "D", "v")
"""Of the series of a chart, in this order: shape and colour tell them apart."""

MONOSPACE_EM = 0.602
"""Width of a letter of DejaVu Sans Mono, as a share of its size."""


def chart(
    title: str, height: float, *, alt: str, columns: int = 1, rows: int = 1, **grid: Any
) -> tuple[Figure, list[Axes]]:
    """Returns a figure and its charts, from left to right and top to bottom. Call it inside `styled()`.

    Args:
        title: the message; wrapped.
        height: of the figure without its title, in inches.
        alt: what the figure shows, in words.
        columns, rows: number of charts.
        grid: further arguments of `Figure.subplots`.
    """
    from tuppence.figures.notebook import NotebookFigure

    lines = wrapped(title, WIDTH - 0.3, TITLE, bold=True)
    figure = NotebookFigure(figsize=(WIDTH, height + 0.22 * len(lines)))
    figure.alt = " ".join(alt.split())
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    found = figure.subplots(rows, columns, squeeze=False, **grid)
    if lines:
        message = drawable(with_escapes("\n".join(lines)))
        looks: dict[str, Any] = {"fontsize": TITLE, "fontweight": "bold", "linespacing": 1.15, "family": families()}
        figure.suptitle(message, x=0.02, ha="left", **looks)
    for axes in found.flat:
        style_ticks(axes)
    return figure, list(found.flat)


def style_ticks(axes: Axes) -> None:
    """Sets the size and the colour of the labels of a chart, also of ticks that are made later."""
    axes.tick_params(labelsize=SMALL_TEXT, labelcolor=MUTED, length=0, which="both")
    axes.xaxis.label.set_fontsize(SMALL_TEXT)


def drawing(title: str, height: float, *, alt: str) -> tuple[Figure, Axes, float]:
    """Returns a figure, axes whose unit is an inch, and the height that is left below the title.

    Args:
        title: the message; wrapped.
        height: of the figure without its title, in inches; (0, 0) is the lower left corner.
        alt: what the figure shows, in words.
    """
    from tuppence.figures.notebook import NotebookFigure

    lines = wrapped(title, WIDTH - 0.3, TITLE, bold=True)
    total = height + 0.1 + 0.22 * len(lines)
    figure = NotebookFigure(figsize=(WIDTH, total))
    figure.set_layout_engine("none")
    figure.alt = " ".join(alt.split())
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, total)
    if lines:
        write(axes, 0.1, total - 0.08, "\n".join(lines), size=TITLE, weight="bold", va="top", linespacing=1.15)
    return figure, axes, height


def write(axes: Axes, x: float, y: float, text: str, *, size: float = TEXT, color: str = INK, **more: Any) -> Any:
    """Writes text at a point of a drawing: left-aligned and vertically centred unless said otherwise.

    A character that no font here has is written as an escape.

    Args:
        axes: of the drawing.
        x, y: the point, in inches.
        text: one line or several.
        size: in points.
        color: of the letters.
        more: further arguments of `Axes.text`; `mono=True` for letters of equal width.
    """
    mono = more.pop("mono", False)
    more = {"ha": "left", "va": "center", "family": families(mono=mono)} | more
    return axes.text(x, y, drawable(with_escapes(text, mono=mono)), fontsize=size, color=color, **more)


def box(axes: Axes, x: float, y: float, width: float, height: float, colour: str, **more: Any) -> Any:
    """Draws a rounded box with its lower left corner at (x, y): a pale area with an edge of the same colour."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    fill = more.pop("fill_alpha", 0.14)
    radius = min(0.06, width / 3, height / 3)
    style = f"round,pad=0,rounding_size={radius}"
    settings: dict[str, Any] = {"facecolor": to_rgba(colour, fill), "edgecolor": colour, "linewidth": 1.0} | more
    return axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, **settings))


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **more: Any) -> Any:
    """Draws an arrow from one point of a drawing to another."""
    from matplotlib.patches import FancyArrowPatch

    settings: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "color": MUTED, "linewidth": 1.2}
    return axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **(settings | more)))


def unit(axes: Axes, text: str) -> None:
    """Writes the unit of the y axis at its top."""
    axes.set_title(drawable(text), loc="left", fontsize=SMALL_TEXT, fontweight="normal", color=MUTED, pad=6)


def wrapped(text: str, width: float, size: float = TEXT, *, bold: bool = False, mono: bool = False) -> list[str]:
    """Breaks text into lines of at most `width` inches in letters of `size` points."""
    text = text.strip()
    if not text:
        return []
    letters = min(len(text), int(250 * width / size))
    while letters > 1:
        lines = textwrap.wrap(text, letters)
        if all(text_width(line, size, bold=bold, mono=mono) <= width for line in lines):
            return lines
        letters -= 1
    return textwrap.wrap(text, 1)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = TEXT, *, bold: bool = False, mono: bool = False) -> float:
    """Returns the width of text in inches."""
    with styled():
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        font = FontProperties(family=families(mono=mono), weight="bold" if bold else "normal", size=size)
        text = drawable(with_escapes(text, mono=mono))
        width = float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72
        return width * (1.05 if mono else 1)  # a PNG of few pixels rounds the width of each letter up

"""Tables of cells: masks, attention weights, and strips of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.course.layout import SMALL_TEXT
from tuppence.figures.format import shorten
from tuppence.figures.style import GRID, INK, Floats, drawable, families, with_escapes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_RECTANGLES = 400
"""A larger table is drawn as an image: thousands of rectangles make a page slow."""


def draw_cells(
    axes: Axes, opacity: Any, colour: str | Any, *, columns: Sequence[str] = (), rows: Sequence[str] = ()
) -> None:
    """Draws a square cell for each number, which is the opacity of its colour, so that it suits light and dark pages.

    Args:
        axes: the chart.
        opacity: (R, C), between 0 and 1.
        colour: of all cells, or (R, C) colours.
        columns, rows: labels; none are drawn by default.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    table: Floats = np.clip(np.asarray(opacity, dtype=float), 0, 1)
    height, width = table.shape
    colours: Any = np.broadcast_to(np.asarray(colour, dtype=object), table.shape)
    if table.size > MOST_RECTANGLES:
        pixels = np.empty((height, width, 4))
        for at in np.ndindex(height, width):
            pixels[at] = (*to_rgb(colours[at]), table[at])
        axes.imshow(pixels, interpolation="nearest", aspect="equal")
    else:
        for row, column in np.ndindex(height, width):
            fill = (*to_rgb(colours[row, column]), float(table[row, column]))
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor=GRID, linewidth=0.8))
    axes.set_aspect("equal")
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    upright = all(len(with_escapes(label)) <= 2 for label in columns)
    axes.set_xticks(
        range(len(columns)),
        [drawable(shorten(with_escapes(label), 12)) for label in columns],
        rotation=0 if upright else 90,
        color=INK,
        family=families(),
    )
    names = [drawable(shorten(with_escapes(label), 12)) for label in rows]
    axes.set_yticks(range(len(rows)), names, color=INK, family=families())
    axes.tick_params(labelsize=SMALL_TEXT)

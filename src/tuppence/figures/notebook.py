"""A matplotlib Figure that a notebook displays if it is the last expression of a cell.

matplotlib's own Figure needs pyplot for that, which `style` does not import. Called by `style.new_figure`.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

from matplotlib.figure import Figure

from tuppence.figures.style import styled

PIXELS_PER_INCH = 100


class NotebookFigure(Figure):
    """A figure that IPython displays as PNG, on white, which suits light and dark themes."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """Returns a PNG in twice the resolution, and the size in pixels at which it is displayed."""
        page = io.BytesIO()
        with styled(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            self.savefig(page, format="png", dpi=2 * PIXELS_PER_INCH, facecolor="white")
        width, height = (round(inches * PIXELS_PER_INCH) for inches in self.get_size_inches())
        return page.getvalue(), {"width": width, "height": height}

"""A matplotlib Figure with a description, which a notebook displays if it is the last expression of a cell.

matplotlib's own Figure needs pyplot for that, which `style` does not import. Called by `style` and `course.layout`.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

from matplotlib.figure import Figure

from tuppence.figures.style import styled, without_font_warnings

PIXELS_PER_INCH = 100

_COLOURS = 128
"""A PNG with a palette has a third of the size, and these drawings have few colours."""


class NotebookFigure(Figure):
    """A figure that IPython displays as SVG, or as PNG where a front end knows no SVG.

    Both are on white, which suits light and dark themes, unless the page says otherwise (see `svg`).
    """

    alt: str = ""
    """What the figure shows, in words, for those who cannot see it."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """Returns a PNG in twice the resolution; the size in pixels at which it is displayed, and the description."""
        from PIL import Image

        page = io.BytesIO()
        with styled(), without_font_warnings():
            self.savefig(page, format="png", dpi=2 * PIXELS_PER_INCH, facecolor="white")
        with Image.open(page) as picture:
            small = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        page = io.BytesIO()
        small.save(page, format="png", optimize=True)
        width, height = (round(inches * PIXELS_PER_INCH) for inches in self.get_size_inches())
        about: dict[str, Any] = {"width": width, "height": height}
        return page.getvalue(), about | ({"alt": self.alt} if self.alt else {})

    def _repr_svg_(self) -> str:
        """Returns an SVG document; its ids are unique in a page of several figures."""
        from tuppence.figures.svg import to_svg

        unprefixed = to_svg(self, "figure")
        return to_svg(self, f"figure-{hashlib.sha256(unprefixed.encode()).hexdigest()[:8]}", document=True)

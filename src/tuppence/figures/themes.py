"""PNG pictures of figures, for light and for dark pages.

`svg` leaves the theme to the page. A PNG cannot, so its colours are replaced before it is drawn.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tuppence.figures.style import DARK_PALETTE, PALETTE, styled, without_font_warnings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Theme: TypeAlias = Literal["light", "dark"]

BACKGROUNDS: dict[Theme, str] = {"light": "#ffffff", "dark": "#1a1f28"}
"""Theme → the background of a figure, which is that of the cards of a report."""


def to_png(figure: Figure, theme: Theme = "light", *, width: int = 1000) -> bytes:
    """Returns the figure as PNG.

    Args:
        figure: the figure; its own colours change to those of the theme.
        theme: "light" or "dark".
        width: in pixels.
    """
    recolour(figure, theme)
    page = io.BytesIO()
    with styled(), without_font_warnings():
        dpi = width / figure.get_size_inches()[0]
        figure.savefig(page, format="png", dpi=dpi, facecolor=BACKGROUNDS[theme])
    return page.getvalue()


def recolour(figure: Figure, theme: Theme) -> None:
    """Replaces the palette's colours in a figure by those of the theme. Other colours and opacities do not change."""
    with styled(), without_font_warnings():
        from matplotlib.artist import Artist
        from matplotlib.collections import Collection
        from matplotlib.image import AxesImage
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch
        from matplotlib.text import Text

        figure.draw_without_rendering()  # makes the labels of the ticks
        for artist in figure.findobj(Artist):
            if isinstance(artist, Text):
                artist.set_color(_themed(artist.get_color(), theme)[0])
            elif isinstance(artist, Line2D):
                for part in ("color", "markerfacecolor", "markeredgecolor"):
                    _replace(artist, part, theme)
            elif isinstance(artist, Patch) and artist is not figure.patch:
                _replace(artist, "facecolor", theme)
                _replace(artist, "edgecolor", theme)
            elif isinstance(artist, Collection):
                artist.set_facecolor(_themed(artist.get_facecolor(), theme))
                artist.set_edgecolor(_themed(artist.get_edgecolor(), theme))
            elif isinstance(artist, AxesImage):
                artist.set_data(_themed(artist.get_array(), theme))


def _replace(artist: Any, part: str, theme: Theme) -> None:
    colour = getattr(artist, f"get_{part}")()
    if isinstance(colour, str) and colour in ("none", "auto"):
        return
    themed = tuple(_themed(colour, theme)[0])
    if themed[3] > 0:  # the opacity of the whole artist would make a missing edge visible
        getattr(artist, f"set_{part}")(themed)


def _themed(colours: Any, theme: Theme) -> Any:
    """Returns an array of RGBA colours, of which those of the palette are those of the theme."""
    from matplotlib.colors import to_rgb, to_rgba_array

    is_image = isinstance(colours, np.ndarray) and colours.ndim == 3
    found = np.array(colours, dtype=float) if is_image else to_rgba_array(colours)
    before = found.copy()
    for name in PALETTE:
        light, dark = np.array(to_rgb(PALETTE[name])), np.array(to_rgb(DARK_PALETTE[name]))
        old, new = (light, dark) if theme == "dark" else (dark, light)
        same = np.abs(before[..., :3] - old).max(axis=-1, initial=0.0) < 1e-3
        found[same, :3] = new
    return found

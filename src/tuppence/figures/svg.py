"""Puts a matplotlib Figure into a page as inline SVG that belongs to the page.

Its colours become the page's variables (light and dark from one picture), its text takes the page's font, its ids
get a prefix of their own, and everything that names another host (metadata, namespaces) is taken out.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from typing import TYPE_CHECKING

from tuppence.figures.style import PALETTE, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WRAPPER = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)
_NAMESPACE = re.compile(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"')
_FONT = re.compile(r"font-family: [^;\"]*|(?<=font: )([^;\"]*?px) [^;\"]*")


def to_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as one `<svg>` element.

    Args:
        figure: what to draw.
        name: unique in the page; a prefix of every id inside.
        label: what the picture shows, for people who hear the page.
    """
    buffer = io.StringIO()
    with styled(), warnings.catch_warnings():
        # letters that the font for measuring lacks (Chinese, emoji): the page's reader has a font with them
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True)
    text = _WRAPPER.sub("", buffer.getvalue())
    head, _, body = text.partition(">")
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", _NAMESPACE.sub("", head)).strip()
    body = body.replace("xlink:href", "href")
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = _FONT.sub(lambda found: f"{found[1]} var(--font)" if found[1] else "font-family: var(--font)", body)
    for variable, colour in PALETTE.items():
        body = re.sub(colour, f"var(--{variable})", body, flags=re.IGNORECASE)
    return f'{head} role="img" aria-label="{html.escape(label)}">{body.strip()}'

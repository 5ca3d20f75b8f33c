"""Converts a figure to SVG.

The colours of the palette become CSS variables of the page, so that a figure suits the light and the dark theme. A
document, which may be shown where nobody defines them, has the light colours as fallback, and a background: white, or
the variable `--figure-page`, which a page with a dark theme sets to `transparent`. Text remains text (`svg.fonttype`),
in the font of the page's style sheet. Ids get a prefix, so that they are unique in the page. Metadata, which names
other hosts, is removed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

from tuppence.figures.format import printable
from tuppence.figures.style import PALETTE, styled, without_font_warnings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMESPACE = "http://www.w3.org/2000/svg"
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def to_svg(figure: Figure, name: str, label: str = "", *, document: bool = False) -> Markup:
    """Returns the figure as an `<svg>` element.

    Args:
        figure: the figure to convert.
        name: unique in the page; the prefix of every id.
        label: a description of the figure, for screen readers; by default the figure's own `alt`.
        document: for a file of its own: with the namespace of SVG, a size in pixels, and a background.
    """
    buffer = io.StringIO()
    with styled(), without_font_warnings():
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    root = ElementTree.fromstring(buffer.getvalue())
    colours = {colour: f"var(--{key}, {colour})" if document else f"var(--{key})" for key, colour in PALETTE.items()}
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _adapted(_local(key), old, name, colours) for key, old in element.attrib.items()}
    for definitions in root.findall("defs"):
        for style in definitions.findall("style"):  # matplotlib's: it would apply to the whole page
            definitions.remove(style)
    box = root.attrib["viewBox"]
    root.attrib = {"viewBox": box, "role": "img", "aria-label": printable(label or getattr(figure, "alt", ""))}
    if document:
        width, height = (round(100 * inches) for inches in figure.get_size_inches())
        root.attrib |= {"xmlns": _NAMESPACE, "width": str(width), "height": str(height)}
        background = {"width": "100%", "height": "100%", "style": "fill: var(--figure-page, #ffffff)"}
        root.insert(0, ElementTree.Element("rect", background))
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _local(name: str) -> str:
    """Removes the namespace of a tag or key, which HTML does not need."""
    return name.rpartition("}")[2]


def _adapted(key: str, value: str, prefix: str, colours: Mapping[str, str]) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if key == "href":
        return f"#{prefix}-{value.removeprefix('#')}"
    value = value.replace("url(#", f"url(#{prefix}-")
    return re.sub(r"#[0-9a-f]{6}", lambda colour: colours.get(colour[0], colour[0]), value)

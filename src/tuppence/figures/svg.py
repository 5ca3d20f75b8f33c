"""Converts a figure to inline SVG.

The colours of the palette become CSS variables of the page, so that a figure suits the light and the dark theme. Text
remains text (`svg.fonttype`), in the font of the page's style sheet. Ids get a prefix, so that they are unique in the
page. Namespaces and metadata, which name other hosts, are removed.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

from tuppence.figures.format import printable
from tuppence.figures.style import PALETTE, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VARIABLES = {colour: f"var(--{name})" for name, colour in PALETTE.items()}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def to_svg(figure: Figure, name: str, label: str) -> Markup:
    """Returns the figure as an `<svg>` element.

    Args:
        figure: the figure to convert.
        name: unique in the page; the prefix of every id.
        label: a description of the figure, for screen readers.
    """
    buffer = io.StringIO()
    with styled(), warnings.catch_warnings():
        # the font that matplotlib measures with lacks some letters (Chinese, emoji); the browser has fonts for them
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _adapted(_local(key), value, name) for key, value in element.attrib.items()}
    for definitions in root.findall("defs"):
        for style in definitions.findall("style"):  # matplotlib's: it would apply to the whole page
            definitions.remove(style)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": printable(label)}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _local(name: str) -> str:
    """Removes the namespace of a tag or key, which HTML does not need."""
    return name.rpartition("}")[2]


def _adapted(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if key == "href":
        return f"#{prefix}-{value.removeprefix('#')}"
    value = value.replace("url(#", f"url(#{prefix}-")
    return re.sub(r"#[0-9a-f]{6}", lambda colour: _VARIABLES.get(colour[0], colour[0]), value)

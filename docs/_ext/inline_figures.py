"""Sphinx extension: figures of notebooks become part of the page, so that they have its theme. The page's style sheet
defines their colours (`_static/figures.css`); in an `<img>`, a figure has its own light ones, on white.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

OUTPUTS = "jupyter_execute"
"""The folder to which MyST-NB writes the pictures of notebooks."""


def place(app: Sphinx, document: nodes.document, page: str) -> None:
    """Replaces the SVG pictures of a notebook's outputs by their source."""
    for image in list(document.findall(nodes.image)):
        file = Path(app.srcdir, image["uri"])
        if file.suffix == ".svg" and OUTPUTS in file.parts:
            figure = f'<div class="figure">{file.read_text(encoding="utf-8")}</div>'
            image.replace_self(nodes.raw("", figure, format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects after the references are resolved."""
    app.connect("doctree-resolved", place)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

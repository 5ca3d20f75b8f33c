"""Sphinx extension: the Colab badge of a notebook becomes a button, because its picture is on another host."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

BADGE = "colab-badge.svg"


class ColabButton(SphinxTransform):
    """Replaces the picture in a link to Colab by the picture's description."""

    default_priority = 400

    def apply(self, **_: object) -> None:
        for picture in list(self.document.findall(nodes.image)):
            if str(picture.get("uri", "")).endswith(BADGE):
                text = str(picture.get("alt") or "Open in Colab")
                picture.replace_self(nodes.inline("", text, classes=["sd-btn", "sd-btn-outline-primary", "sd-btn-sm"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the transform. It runs before Sphinx collects the pictures of a page."""
    app.add_transform(ColabButton)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

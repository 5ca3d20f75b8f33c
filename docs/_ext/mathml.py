"""Sphinx extension: formulas as MathML, which browsers display without a script. Sphinx's own renderers load MathJax
from another host or need LaTeX.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def inline(translator: Any, node: nodes.math) -> None:
    """Writes a formula in a line of text."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def display(translator: Any, node: nodes.math_block) -> None:
    """Writes a formula on lines of its own. A wide one scrolls, with the keyboard too."""
    formula = convert(node.astext(), display="block")
    label = "Formula"
    translator.body.append(f'<div class="formula" role="group" tabindex="0" aria-label="{label}">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

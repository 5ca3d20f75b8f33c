"""A figure in the outputs of a notebook is part of the page of the site, in the colours of the page."""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path

import nbformat
import pytest

from tuppence.figures import loss_curves
from tuppence.figures.style import DARK_PALETTE, PALETTE

pytest.importorskip("myst_nb")

DOCS = Path(__file__).resolve().parents[2] / "docs"
CONFIG = "extensions = ['myst_nb', 'inline_figures']\nnb_execution_mode = 'off'\n"


def test_the_svg_of_a_notebook_is_inline_and_keeps_its_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sphinx.cmd.build import build_main

    figure = loss_curves({"one": ([1, 2], [3.0, 2.0])})
    png, about = figure._repr_png_()
    data = {"image/svg+xml": figure._repr_svg_(), "image/png": base64.b64encode(png).decode()}
    output = nbformat.v4.new_output("display_data", data, metadata={"image/png": about})
    cells = [nbformat.v4.new_markdown_cell("# A page"), nbformat.v4.new_code_cell("figure", outputs=[output])]
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=language)
    (tmp_path / "conf.py").write_text(CONFIG, encoding="utf-8")
    nbformat.write(notebook, tmp_path / "index.ipynb")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    monkeypatch.delitem(sys.modules, "inline_figures", raising=False)
    assert build_main(["-q", "-W", str(tmp_path), str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert f'aria-label="{figure.alt}"' in page
    assert "var(--blue, #0068b8)" in page
    assert "<img" not in page.split('<div class="figure">')[1].split("</svg>")[0]


def test_the_site_has_the_colours_of_figures_in_light_and_in_dark() -> None:
    css = (DOCS / "_static" / "figures.css").read_text(encoding="utf-8")
    for name, light in PALETTE.items():
        assert re.findall(rf"--{name}: (#[0-9a-f]{{6}});", css) == [light, DARK_PALETTE[name], DARK_PALETTE[name]]

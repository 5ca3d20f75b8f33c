"""A figure is displayed in a notebook, with and without matplotlib's own support for notebooks."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image

from tuppence.figures import plot_loss

STEPS = range(1, 20)
LOSSES = [5.0 - step / 10 for step in STEPS]


def test_the_last_expression_of_a_cell_displays_the_figure() -> None:
    figure = plot_loss(STEPS, LOSSES)
    content, about = pytest.importorskip("IPython.core.formatters").DisplayFormatter().format(figure)
    picture = Image.open(io.BytesIO(content["image/png"]))
    assert picture.size == (1000, 640)
    assert about["image/png"] == {"width": 500, "height": 320, "alt": figure.alt}
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert content["image/svg+xml"].startswith("<svg")


def test_the_notebook_figure_needs_no_pyplot() -> None:
    pytest.importorskip("IPython")
    code = """
import sys

from tuppence.figures import plot_loss
figure = plot_loss([1, 2], [2.0, 1.0])
from IPython.core.formatters import DisplayFormatter
print(sorted(DisplayFormatter().format(figure)[0]), "matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "['image/png', 'image/svg+xml', 'text/plain'] False"


def test_with_matplotlib_inline_it_is_one_output() -> None:
    shells = pytest.importorskip("IPython.core.interactiveshell")
    inline = pytest.importorskip("matplotlib_inline.backend_inline")
    shell = shells.InteractiveShell.instance()
    try:
        inline.configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
        content, _ = shell.display_formatter.format(plot_loss(STEPS, LOSSES))
        assert sorted(kind for kind in content if kind.startswith("image/")) == ["image/png", "image/svg+xml"]
    finally:
        shells.InteractiveShell.clear_instance()

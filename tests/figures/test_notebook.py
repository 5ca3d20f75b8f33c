"""A figure shows itself in a notebook, with and without matplotlib's own support for notebooks."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image

from tuppence.figures.curves import loss_curve

ROWS = [{"step": step, "loss": 5.0 - step / 10, "tokens": 100 * step} for step in range(1, 20)]


def test_the_last_expression_of_a_cell_shows_the_picture() -> None:
    figure = loss_curve(ROWS)
    content, about = pytest.importorskip("IPython.core.formatters").DisplayFormatter().format(figure)
    picture = Image.open(io.BytesIO(content["image/png"]))
    assert picture.size == (1680, 720)
    assert about["image/png"] == {"width": 840, "height": 360}
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_it_needs_no_pyplot() -> None:
    pytest.importorskip("IPython")
    code = """
import sys

from tuppence.figures.curves import loss_curve
figure = loss_curve([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}])
from IPython.core.formatters import DisplayFormatter
print(sorted(DisplayFormatter().format(figure)[0]), "matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "['image/png', 'text/plain'] False"


def test_with_matplotlib_inline_it_is_shown_once() -> None:
    shells = pytest.importorskip("IPython.core.interactiveshell")
    inline = pytest.importorskip("matplotlib_inline.backend_inline")
    shell = shells.InteractiveShell.instance()
    try:
        inline.configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
        content, _ = shell.display_formatter.format(loss_curve(ROWS))
        assert [kind for kind in content if kind.startswith("image/")] == ["image/png"]
    finally:
        shells.InteractiveShell.clear_instance()

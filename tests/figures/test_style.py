from __future__ import annotations

import builtins
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import MissingExtraError
from tuppence.figures import style


def test_drawing_needs_no_pyplot_and_leaves_matplotlib_as_it_was() -> None:
    code = (
        "import sys, matplotlib\nbefore = matplotlib.rcParams.copy()\n"
        "from tuppence.figures import curves, svg\n"
        "figure = curves.plot_loss([1, 2], [2.0, 1.0])\n"
        "svg.to_svg(figure, 'loss', 'Loss')\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "DISPLAY": ""}
    )
    assert answer.returncode == 0, answer.stderr


def test_a_home_that_cannot_be_written_is_no_warning_and_the_logger_stays() -> None:
    code = (
        "import logging\nfrom tuppence.figures.style import styled\n"
        "with styled(): assert logging.getLogger('matplotlib').level == logging.NOTSET\n"
    )
    home = {"HOME": "/dev/null/home"}
    others = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=others | home)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_error_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError) as refusal, style.styled():
        pass
    assert refusal.value.hint == "pip install 'tuppence[plot]'"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(10, 50))
def test_thinning_keeps_the_ends_the_extremes_and_the_order(values: list[float], limit: int) -> None:
    x, y = style.thin(range(len(values)), values, limit)
    assert len(x) <= max(limit, 2)
    assert (x[0], x[-1]) == (0, len(values) - 1)
    assert (y.min(), y.max()) == (min(values), max(values))
    assert np.all(np.diff(x) > 0)
    assert all(values[int(position)] == value for position, value in zip(x, y, strict=True))


def test_smoothing_is_the_bias_corrected_moving_average() -> None:
    values = np.random.default_rng(0).normal(size=800).tolist()
    weight = 1 - 80 / 800
    direct = [
        sum(values[i] * weight ** (last - i) for i in range(last + 1)) / sum(weight**i for i in range(last + 1))
        for last in (0, 1, 50, 799)
    ]
    smoothed = style.smooth(values)
    assert [smoothed[last] for last in (0, 1, 50, 799)] == pytest.approx(direct)


def test_few_points_are_not_smoothed() -> None:
    assert style.smooth([3.0, 1.0, 2.0]).tolist() == [3.0, 1.0, 2.0]
    assert style.smooth([]).tolist() == []


def luminance(colour: str) -> float:
    """WCAG 2.2: relative luminance."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", ["ink", "muted"])
def test_text_has_enough_contrast_with_a_white_page(name: str) -> None:
    assert 1.05 / (luminance(style.PALETTE[name]) + 0.05) >= 4.5

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from itertools import combinations
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
    red, green, blue = linear(colour)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def linear(colour: str) -> Any:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("name", ["ink", "muted", "blue", "orange", "green", "purple"])
def test_text_in_any_colour_has_enough_contrast_with_pages_and_cards(name: str) -> None:
    for background in ("#ffffff", "#f6f7f9"):
        assert 1.05 / (luminance(style.PALETTE[name]) + 0.05) >= 4.5
        assert (luminance(background) + 0.05) / (luminance(style.PALETTE[name]) + 0.05) >= 4.5
    for background in ("#11141a", "#1a1f28"):
        assert (luminance(style.DARK_PALETTE[name]) + 0.05) / (luminance(background) + 0.05) >= 4.5


# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# table 1, severity 1.0.
DEFICIENCIES = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(rgb: Any) -> Any:
    """CIE L*a*b* of linear sRGB, white D65."""
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = np.cbrt(np.array(to_xyz) @ np.clip(rgb, 0.01, 1) / np.array([0.95047, 1, 1.08883]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("palette", [style.PALETTE, style.DARK_PALETTE], ids=["light", "dark"])
def test_colour_blind_people_can_distinguish_the_colours_of_curves(palette: dict[str, str], deficiency: str) -> None:
    """A difference of 2.3 is just noticeable in the L*a*b* space; the bound is four times that."""
    names = ("blue", "orange", "green", "purple", "yellow")
    seen = {name: lab(np.array(DEFICIENCIES[deficiency]) @ linear(palette[name])) for name in names}
    assert min(float(np.linalg.norm(seen[a] - seen[b])) for a, b in combinations(names, 2)) > 9.2


def test_points_with_a_coordinate_that_is_not_finite_are_left_out() -> None:
    x, y = style.finite_points([1, 2, np.nan, 4, 5], [1, np.inf, 3, np.nan, 5])
    assert (x.tolist(), y.tolist()) == ([1, 5], [1, 5])


def test_a_character_that_no_font_has_becomes_an_escape_and_others_stay() -> None:
    with style.styled():
        assert style.with_escapes("naïve ✓\n字 \U0001f381 �", mono=True) == "naïve ✓\n\\u5b57 \\U0001f381 �"
        assert style.with_escapes("字").encode().decode("unicode_escape") == "字"


def test_an_installed_font_draws_what_ours_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "FALLBACK_FONTS", ("no such font", "STIXGeneral"))  # the second comes with matplotlib
    with style.styled():
        assert style.families(mono=True) == ["monospace", "STIXGeneral"]
        assert style.with_escapes("⌖字", mono=True) == "⌖\\u5b57"

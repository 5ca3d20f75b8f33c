from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from tuppence.figures import masks, plot_loss, plot_stage_seconds
from tuppence.figures.style import BLUE, DARK_PALETTE
from tuppence.figures.themes import BACKGROUNDS, recolour, to_png


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_has_the_background_of_its_theme_and_the_wanted_width(theme: str) -> None:
    picture = Image.open(io.BytesIO(to_png(plot_loss([1, 2], [2.0, 1.0]), theme, width=360))).convert("RGB")
    assert picture.size == (360, 230)
    assert picture.getpixel((0, 0)) == tuple(round(255 * value) for value in to_rgb(BACKGROUNDS[theme]))


def test_dark_colours_replace_those_of_lines_and_cells_and_keep_their_opacity() -> None:
    figure = plot_loss([1, 2], [2.0, 1.0])
    recolour(figure, "dark")
    assert [to_rgb(line.get_color()) for line in figure.axes[0].lines] == [to_rgb(DARK_PALETTE["blue"])] * 2
    figure = masks({"causal": np.tril(np.ones((3, 3)))})
    recolour(figure, "dark")
    first, second = (patch.get_facecolor() for patch in figure.axes[0].patches[:2])
    assert first == pytest.approx((*to_rgb(DARK_PALETTE["blue"]), 0.75))
    assert second[3] == 0


def test_bars_without_an_edge_have_none_in_any_theme() -> None:
    figure = plot_stage_seconds({"pretrain": 20.0})
    recolour(figure, "dark")
    (bar,) = figure.axes[0].patches
    assert bar.get_edgecolor()[3] == 0
    assert bar.get_facecolor() == pytest.approx((*to_rgb(DARK_PALETTE["blue"]), 0.85))


def test_light_undoes_dark() -> None:
    figure = plot_loss([1, 2], [2.0, 1.0])
    recolour(figure, "dark")
    recolour(figure, "light")
    assert to_rgb(figure.axes[0].lines[0].get_color()) == pytest.approx(to_rgb(BLUE))

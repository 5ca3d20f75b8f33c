"""Every figure can be read on a phone, in light and dark, and by a screen reader."""

from __future__ import annotations

from typing import Any

import pytest
from tests.figures.examples import EXAMPLES
from tests.figures.legibility import faults

from tuppence import figures
from tuppence.figures.course.layout import box, drawing, write
from tuppence.figures.style import BLUE, GRID, YELLOW, styled
from tuppence.figures.svg import to_svg

pytest.importorskip("matplotlib")


def test_every_public_figure_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(figures.__all__)


@pytest.mark.parametrize("name", figures.__all__)
def test_a_figure_is_legible(name: str) -> None:
    assert faults(EXAMPLES[name]()) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", figures.__all__)
def test_a_figure_is_the_same_svg_twice_and_has_its_description(name: str) -> None:
    first, second = (to_svg(EXAMPLES[name](), name) for _ in range(2))
    assert first == second
    assert 'aria-label=""' not in first


def drawn(*texts: tuple[float, float, str, dict[str, Any]]) -> Any:
    with styled():
        figure, axes, _ = drawing("", 2.0, alt="A figure with faults, for the test.")
        for x, y, text, more in texts:
            write(axes, x, y, text, **more)
    return figure


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ([(4.8, 1.0, "too far right", {})], "outside the canvas: 'too far right'"),
        ([(1.0, 1.0, "one text", {}), (1.3, 1.05, "another", {})], "overlapping: 'one text' and 'another'"),
        ([(1.0, 1.0, "tiny", {"size": 8})], "8.0 pixels high: 'tiny'"),
        ([(1.0, 1.0, "yellow", {"color": YELLOW})], "contrast 2.8 in light: 'yellow'"),
        ([(1.0, 1.0, "grid", {"color": GRID})], "contrast 1.3 in light: 'grid'"),
    ],
)
def test_the_check_finds_faults(texts: Any, fault: str) -> None:
    assert faults(drawn((1.0, 0.3, "right", {}))) == []
    assert fault in faults(drawn(*texts))


def test_the_check_finds_text_on_a_colour_and_a_figure_without_description() -> None:
    figure = drawn((1.0, 1.0, "on blue", {}))
    box(figure.axes[0], 0.5, 0.5, 3, 1, BLUE, fill_alpha=0.95)
    figure.alt = ""
    assert [fault.split(":")[0] for fault in faults(figure)] == [
        "no description",
        "contrast 3.0 in light",
        "contrast 2.0 in dark",
    ]

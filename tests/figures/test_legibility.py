"""Every figure can be read on a phone, in light and dark, and by a screen reader."""

from __future__ import annotations

import pytest
from tests.figures.examples import EXAMPLES
from tests.figures.legibility import faults

from tuppence import figures
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

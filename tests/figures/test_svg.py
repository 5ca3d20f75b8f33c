from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tuppence.figures.curves import plot_loss
from tuppence.figures.style import BLUE, PALETTE, new_figure, styled
from tuppence.figures.svg import to_svg


@pytest.fixture(scope="module")
def drawn() -> str:
    steps = range(1, 30)
    figure = plot_loss(steps, [9 - step / 10 for step in steps], steps, [9.0] * 29, token_steps=steps, tokens=steps)
    return to_svg(figure, "loss", 'the "loss" <curve>')


def test_svg_is_one_well_formed_element(drawn: str) -> None:
    root = ElementTree.fromstring(drawn)
    assert root.tag == "svg"
    assert root.get("aria-label") == 'the "loss" <curve>'
    assert root.get("viewBox")
    assert root.get("width") is None, "the page decides on the width"


def test_svg_names_no_host_and_has_no_style_sheet(drawn: str) -> None:
    assert "://" not in drawn
    assert "<style" not in drawn


def test_colours_are_css_variables_of_the_page(drawn: str) -> None:
    assert not any(colour in drawn.lower() for colour in PALETTE.values())
    assert {"var(--blue)", "var(--orange)", "var(--grid)", "var(--muted)"} <= set(re.findall(r"var\(--\w+\)", drawn))


@pytest.mark.filterwarnings("error")
def test_text_in_any_script_gives_no_warning_about_fonts() -> None:
    with styled():
        figure, _ = new_figure("垃圾邮件 · स्पैम · 🎁", alt="labels")
    assert "垃圾邮件 · स्पैम · 🎁" in to_svg(figure, "labels", "labels")


def test_text_in_svg_remains_text(drawn: str) -> None:
    assert "training, smoothed" in drawn


def test_references_point_to_ids_of_the_same_figure(drawn: str) -> None:
    ids = set(re.findall(r'\bid="([^"]+)"', drawn))
    references = set(re.findall(r'(?:href="#|url\(#)([^")]+)', drawn))
    assert references
    assert references <= ids
    assert all(name.startswith("loss-") for name in ids)


def test_the_same_figure_gives_the_same_bytes_and_text_is_escaped() -> None:
    def draw() -> str:
        with styled():
            figure, axes = new_figure("a < b & c", alt="one line")
            axes.plot([1, 2], [3, 4], color=BLUE)
        return to_svg(figure, "p", "x")

    assert draw() == draw()
    assert "a &lt; b &amp; c" in draw()


def test_a_document_has_a_namespace_a_size_a_background_and_light_colours_where_the_page_has_none() -> None:
    root = ElementTree.fromstring(plot_loss([1, 2], [2.0, 1.0])._repr_svg_())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == ("500", "320")
    assert root[0].get("style") == "fill: var(--figure-page, #ffffff)"
    assert f"var(--blue, {BLUE})" in ElementTree.tostring(root, encoding="unicode")


def test_the_label_is_by_default_the_description_of_the_figure() -> None:
    figure = plot_loss([1, 2], [2.0, 1.0])
    assert ElementTree.fromstring(to_svg(figure, "x")).get("aria-label") == figure.alt

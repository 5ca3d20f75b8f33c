from __future__ import annotations

from typing import Any

from tuppence.figures import page
from tuppence.figures.style import PALETTE


def test_foreign_text_comes_out_as_text_everywhere(nasty: str, outline: Any) -> None:
    for made in (
        page.section(nasty, "<p>x</p>"),
        page.tiles([(nasty, nasty)]),
        page.card("x", title=nasty),
        page.facts({nasty: nasty}),
        page.table([nasty], [[nasty]]),
        page.legend([("blue", nasty, nasty, nasty)]),
        page.details(nasty, "x"),
        page.sample(nasty, nasty),
        page.page(nasty, ""),
    ):
        read = outline(made)
        assert nasty in "\n".join(read.words)
        assert not {"script", "img"} & read.tags


def test_what_is_empty_leaves_nothing_behind() -> None:
    empty = [page.section("x"), page.section("x", ""), page.tiles([]), page.card(), page.card("", title="x")]
    empty += [page.pair(), page.facts({"a": None, "b": ""}), page.table(["a"], []), page.details("x", "")]
    empty += [page.legend([]), page.responsive("", "")]
    assert set(empty) == {""}


def test_zero_and_no_are_not_empty() -> None:
    assert "<td>0</td>" in page.facts({"seed": 0})
    assert "<td>False</td>" in page.facts({"compile": False})


def test_every_colour_of_the_pictures_is_a_variable_in_light_and_in_dark() -> None:
    styles = page.page("t", "")
    for name in PALETTE:
        assert styles.count(f"--{name}: #") == 2, name


def test_a_page_forbids_scripts_and_other_hosts() -> None:
    made = page.page("t", "x")
    assert "default-src 'none'" in made
    assert 'name="viewport"' in made
    assert "://" not in made

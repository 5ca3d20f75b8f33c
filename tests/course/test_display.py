"""How results show themselves."""

from __future__ import annotations

import html

import tuppence as tp
from tuppence.course import display


def test_prose_is_markdown_in_a_notebook_and_a_line_in_a_terminal() -> None:
    prose = tp.say(
        """The loss is
        **2.5** nats."""
    )
    assert repr(prose) == prose._repr_markdown_() == "The loss is **2.5** nats."


def test_the_source_is_that_of_the_running_code() -> None:
    shown = tp.source(display.say)
    assert "def say(text: str) -> Prose:" in repr(shown)
    page = shown._repr_html_()
    assert "http" not in page
    assert "tuppence.course.display.say" in page
    assert "Prose" in html.unescape(page)


def test_source_shows_methods_classes_and_modules() -> None:
    assert "def forward" in tp.source(tp.LoRALinear.forward).code
    assert "class LoRALinear" in tp.source(tp.LoRALinear).code
    assert "def generalised_advantages" in tp.source(tp.equations).code

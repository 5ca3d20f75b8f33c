"""Searches: what is set up is paid off."""

from __future__ import annotations

from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_bell_was_tied_on_before_it_is_heard(stories_of: Stories) -> None:
    for text in stories_of("lost_lamb", "bell"):
        assert "bell" in text[: text.index("lay the lamb")]


def test_the_crow_that_was_freed_shows_the_way(stories_of: Stories) -> None:
    for text in stories_of("lost_in_fog", "an old kindness"):
        assert text.index("set it free") < text.index("string still on its foot")

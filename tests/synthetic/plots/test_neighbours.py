"""Neighbours: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_whoever_was_turned_away_is_called_back(stories_of: Stories) -> None:
    for text in stories_of("stranger_at_the_door", "turned away first"):
        assert re.search(r"please come back|Please come back|I was wrong", text)


def test_what_was_borrowed_is_brought_back(stories_of: Stories) -> None:
    for text in stories_of("borrowed"):
        assert re.search(r"I have had this|this is yours|This is yours|I am late", text)

"""Wonders: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_two_wishes_are_spent_before_the_last(stories_of: Stories) -> None:
    for text in stories_of("three_wishes"):
        assert re.search(r"one left|One wish was left|One more", text)


def test_every_tale_of_origins_answers_its_question(stories_of: Stories) -> None:
    for turn in ("heron", "hare", "robin", "moon"):
        for text in stories_of("how_it_came_to_be", turn):
            assert text.count(turn) >= 2
            assert "Long ago" in text

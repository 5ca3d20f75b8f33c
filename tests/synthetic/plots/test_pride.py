"""Pride: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_whoever_cheats_gives_the_prize_back(stories_of: Stories) -> None:
    for text in stories_of("contest", "cheated"):
        assert re.search(r"short cut|cut through", text)
        assert "tomorrow" in text


def test_whoever_stops_to_help_comes_in_last(stories_of: Stories) -> None:
    for text in stories_of("contest", "stopped to help"):
        assert "last of all" in text

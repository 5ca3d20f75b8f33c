"""Fables: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_chain_of_all_wins_over_the_strength_of_one(stories_of: Stories) -> None:
    for text in stories_of("who_is_the_best"):
        assert re.search(r"in a long chain|in a row", text)


def test_what_was_refused_is_shared_in_the_end(stories_of: Stories) -> None:
    for text in stories_of("greedy"):
        assert re.search(r"Find some of your own|count them first", text)
        assert re.search(r"have some|Take as many|take as many", text)

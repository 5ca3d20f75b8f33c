"""Promises: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_a_promise_is_given_before_it_is_broken(stories_of: Stories) -> None:
    for text in stories_of("the_promise", "forgot"):
        assert (
            re.search(r"I promise|my word|rely on me", text).start()
            < re.search(r"sorry sight|harm was done", text).start()
        )


def test_whoever_misses_the_boat_finds_the_friend_waiting(stories_of: Stories) -> None:
    for text in stories_of("against_time", "missed it but"):
        assert "stay one more day" in text

"""Detectives: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_whoever_accused_the_wrong_one_says_sorry(stories_of: Stories) -> None:
    for text in stories_of("thief", "accused the wrong one"):
        assert re.search(r"I am sorry", text)


def test_the_clock_runs_again_for_the_reason_found(stories_of: Stories) -> None:
    for text in stories_of("stopped_clock", "nest"):
        assert "eggs" in text or "nest" in text

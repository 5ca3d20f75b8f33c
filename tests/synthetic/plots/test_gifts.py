"""Gifts: what is set up is paid off."""

from __future__ import annotations

from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_both_gave_what_the_other_had_a_use_for(stories_of: Stories) -> None:
    for text in stories_of("present", "both gave"):
        assert "made to measure" in text


def test_the_wrong_day_is_admitted(stories_of: Stories) -> None:
    for text in stories_of("forgotten_birthday", "wrong day"):
        assert "rehearsal" in text

"""Learning: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_seeds_are_sown_before_there_is_a_harvest(stories_of: Stories) -> None:
    for text in stories_of("garden"):
        assert text.index("seeds") < re.search(r"more than any|heavy with", text).start()


def test_seeds_are_sown_in_spring(stories_of: Stories) -> None:
    assert not any(re.search(r"[Aa]utumn had come|[Ww]inter had come", text) for text in stories_of("garden"))

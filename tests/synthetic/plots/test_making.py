"""Making: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_second_raft_mends_what_was_wrong_with_the_first(stories_of: Stories) -> None:
    for text in stories_of("raft", "tipped over"):
        assert re.search(r"barn door|as wide as a bed", text)
    for text in stories_of("raft", "sank"):
        assert re.search(r"dry pine|willow|empty barrels|reeds|cork|dry branches", text)


def test_dough_rises_where_the_cat_sleeps(stories_of: Stories) -> None:
    for text in stories_of("baking", "warm place"):
        assert re.search(r"the cat\b", text).start() > re.search(r"would not rise|as flat as before", text).start()

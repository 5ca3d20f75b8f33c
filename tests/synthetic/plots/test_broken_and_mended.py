"""Broken and mended: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_whoever_hides_the_pieces_tells_the_owner_before_the_end(stories_of: Stories) -> None:
    for text in stories_of("broken_thing", "hid it"):
        hidden = re.search(r"hid the pieces|swept the pieces", text)
        told = re.search(r"told everything|told the whole|confessed it all|out it all came", text)
        assert hidden, text
        assert told, text
        assert hidden.start() < told.start(), text


def test_a_visible_tear_becomes_an_ornament(stories_of: Stories) -> None:
    for text in stories_of("torn_coat", "made something new"):
        assert re.search(r"cut (?:leaves|stars|fishes)", text)

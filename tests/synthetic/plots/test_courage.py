"""Courage: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_dog_whose_thorn_is_drawn_limps_first(stories_of: Stories) -> None:
    for text in stories_of("the_big_dog", "thorn"):
        assert text.index("one paw") < text.index("Out came the thorn")


def test_the_words_are_lost_before_they_come_back(stories_of: Stories) -> None:
    for text in stories_of("stage_fright", "voice came"):
        assert re.search(r"every word flew away|suddenly as empty as a jug", text)

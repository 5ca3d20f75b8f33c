"""Journeys: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_treasure_is_what_the_turn_says(stories_of: Stories) -> None:
    for turn, sign in {"letter": "letter", "seeds": "seeds", "box of toys": "animal|chair"}.items():
        assert all(re.search(sign, text) for text in stories_of("treasure_map", turn))


def test_the_hill_is_blue_from_afar_only(stories_of: Stories) -> None:
    for text in stories_of("far_hill"):
        assert re.search(r"was not blue|Nothing was blue", text)

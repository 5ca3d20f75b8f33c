"""Creatures: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_an_owner_who_comes_gets_the_animal_back(stories_of: Stories) -> None:
    for text in stories_of("foundling", "owner came"):
        assert re.search(r"looking for (?:somebody|someone)", text)


def test_the_goose_learns_to_fly_after_it_has_hatched(stories_of: Stories) -> None:
    for text in stories_of("strange_egg"):
        hatched = re.search(r"out came a beak|little face|in the straw", text)
        flown = re.search(r"learned to fly(?! kites)", text)  # kites are what its keeper may know how to fly
        assert hatched.start() < flown.start()

"""Scenes that every plot shares: the opening names the hero and the place, a feeling is shown, not stated."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.scenes import close, feel, journey, opening
from tuppence.synthetic.tables import tables
from tuppence.synthetic.teller import Teller


@pytest.mark.parametrize("animals", [False, True])
def test_every_opening_names_the_hero_and_what_kind_of_being_they_are(animals: bool) -> None:
    for seed in range(200):
        teller = Teller(Random(seed), animals)
        opening(teller)
        text = teller.text()
        assert teller.hero.name in text
        assert teller.hero.kind in text


@pytest.mark.parametrize("feeling", ["sad", "glad", "afraid", "angry", "ashamed", "relieved", "proud"])
def test_a_feeling_is_told_in_whole_sentences(feeling: str) -> None:
    for seed in range(40):
        teller = Teller(Random(seed), animals=False)
        feel(teller, "hero", feeling)
        assert teller.text().rstrip('"')[-1] in ".!?"


def test_a_journey_ends_where_it_was_meant_to() -> None:
    for seed in range(40):
        teller = Teller(Random(seed), animals=False)
        journey(teller, "hero", "wild")
        place = teller.fill("", "wild", "", False)
        assert place in teller.text()


def test_every_theme_has_its_endings() -> None:
    themes = [name.removeprefix("close_") for name in tables() if name.startswith("close_")]
    for theme in themes:
        for seed in range(20):
            teller = Teller(Random(seed), animals=False)
            teller("{hero.name} sat down.")
            close(teller, theme)
            teller.text()
    assert len(themes) >= 10

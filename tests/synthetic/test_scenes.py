"""The scenes that all plots share."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.scenes import close, feel, journey, opening, think
from tuppence.synthetic.teller import Teller

SEEDS = range(40)


def teller(seed: int, season: str = "") -> Teller:
    return Teller(Random(seed), animals=False, season=season)


def test_an_opening_introduces_the_hero() -> None:
    for seed in SEEDS:
        t = teller(seed)
        opening(t)
        assert t.hero.name in t.text()


def test_some_openings_begin_with_a_hook() -> None:
    hooked = 0
    for seed in SEEDS:
        t = teller(seed)
        opening(t, "Something was wrong with the lamp.")
        hooked += t.text().startswith("Something was wrong with the lamp.")
    assert 0 < hooked < len(SEEDS) / 2


@pytest.mark.parametrize("feeling", ["sad", "glad", "afraid", "angry", "ashamed", "relieved", "proud"])
def test_every_feeling_has_sentences(feeling: str) -> None:
    texts = set()
    for seed in SEEDS:
        t = teller(seed)
        feel(t, "hero", feeling)
        texts.add(t.text().replace(t.hero.name, "NAME"))
    assert len(texts) > 2


def test_a_thought_is_that_of_the_character() -> None:
    t = teller(1)
    think(t, "friend")
    assert t.person("friend").name in t.text()


def test_a_journey_names_the_place() -> None:
    for seed in SEEDS:
        t = teller(seed)
        journey(t, "hero", "water")
        assert t.fill("to", "water", "", False).partition(" ")[2] in t.text()


def test_only_in_winter_a_traveller_dresses_warmly() -> None:
    warm = {}
    for season in ("summer", "winter"):
        texts = []
        for seed in SEEDS:
            t = teller(seed, season)
            journey(t, "hero", "wild")
            texts.append(t.text())
        warm[season] = sum(any(word in text for word in ("coat", "scarf", "mittens")) for text in texts)
    assert warm["summer"] == 0 < warm["winter"]


def test_a_story_can_end_with_a_thought_or_a_description_or_neither() -> None:
    lengths = set()
    for seed in SEEDS:
        t = teller(seed)
        close(t, "courage")
        lengths.add(min(len(t.text()), 1))
    assert lengths == {0, 1}

"""The world: weather that the season allows, places that the setting has, things that are what they look like."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.tables import table, tables
from tuppence.synthetic.world import (
    ANIMAL_SETTINGS,
    HUMAN_SETTINGS,
    PLACE_ROLES,
    SEASONS,
    World,
    make_place,
    make_thing,
    make_world,
    tables_of,
)


@pytest.mark.parametrize("setting", HUMAN_SETTINGS + ANIMAL_SETTINGS)
@pytest.mark.parametrize("role", PLACE_ROLES)
def test_every_setting_has_at_least_two_places_for_every_role(setting: str, role: str) -> None:
    world = World(setting, "spring", "sunny")
    first = make_place(Random(0), world, role, taken=set())
    assert make_place(Random(0), world, role, taken={first.phrase}) != first


def test_every_table_that_a_world_can_ask_for_exists() -> None:
    for seed in range(400):
        random = Random(seed)
        world = make_world(random, animals=seed % 2 == 0, season="", weather="")
        assert set(tables_of(world, random).values()) <= set(tables())


def test_it_snows_in_winter_only() -> None:
    worlds = [make_world(Random(seed), animals=False, season="", weather="") for seed in range(500)]
    assert {world.season for world in worlds} == set(SEASONS)
    assert {world.season for world in worlds if world.weather in ("snowy", "frosty")} == {"winter"}


def test_every_setting_says_what_kind_of_place_it_is() -> None:
    for setting in HUMAN_SETTINGS + ANIMAL_SETTINGS:
        for phrase in table(f"setting_{setting}"):
            assert any(noun in phrase for noun in table("town")), phrase


def test_wood_floats_and_metal_does_not() -> None:
    assert make_thing(Random(0), "wood").floats
    assert not make_thing(Random(0), "metal").floats


def test_the_noun_of_a_thing_is_its_last_word() -> None:
    thing = make_thing(Random(3))
    assert thing.phrase.endswith(" " + thing.noun)

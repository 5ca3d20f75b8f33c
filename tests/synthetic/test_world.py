"""Settings, weather, places and things fit each other."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.tables import tables
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


@pytest.mark.parametrize("animals", [False, True])
def test_weather_fits_the_season_and_every_table_of_the_world_exists(animals: bool) -> None:
    random = Random(0)
    for _ in range(500):
        world = make_world(random, animals, "", "")
        assert world.setting in (ANIMAL_SETTINGS if animals else HUMAN_SETTINGS)
        assert (world.weather in ("snowy", "frosty")) <= (world.season == "winter")
        assert (world.weather == "hot") <= (world.season == "summer")
        assert set(tables_of(world, random).values()) <= tables().keys()


def test_a_season_and_a_weather_that_a_plot_needs_are_kept() -> None:
    for seed in range(20):
        world = make_world(Random(seed), False, "summer", "foggy")
        assert (world.season, world.weather) == ("summer", "foggy")


@pytest.mark.parametrize("setting", [*HUMAN_SETTINGS, *ANIMAL_SETTINGS])
@pytest.mark.parametrize("role", PLACE_ROLES)
def test_every_setting_has_two_places_for_every_role(setting: str, role: str) -> None:
    world = World(setting, SEASONS[0], "sunny")
    first = make_place(Random(0), world, role, set())
    assert make_place(Random(0), world, role, {first.phrase}).phrase != first.phrase


@pytest.mark.parametrize(("material", "floats"), [("wood", True), ("cloth", True), ("metal", False), ("glass", False)])
def test_things_float_by_their_material_and_end_with_their_noun(material: str, floats: bool) -> None:
    made = make_thing(Random(1), material)
    assert made.floats is floats
    assert made.phrase.endswith(f" {made.noun}")
    assert any(made.noun == entry.rpartition(" ")[2] for entry in tables()[f"thing_{material}"])

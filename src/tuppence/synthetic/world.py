"""The world of a story: a setting with its places, a season, weather that fits it, and things.

Called by `teller`. The words are in `tables/world.txt` and `tables/things.txt`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tuppence.synthetic.tables import table

HUMAN_SETTINGS = ("harbour", "mountain", "valley", "river", "city", "island", "moor")
ANIMAL_SETTINGS = ("forest", "meadow")
PLACE_ROLES = ("wild", "water", "public", "high")

_WEATHER_OF_SEASON = {
    "spring": ("sunny", "rainy", "windy", "sunny"),
    "summer": ("sunny", "hot", "sunny", "windy"),
    "autumn": ("windy", "rainy", "foggy", "sunny"),
    "winter": ("snowy", "frosty", "windy", "snowy"),
}
SEASONS = tuple(_WEATHER_OF_SEASON)
_MATERIALS = ("metal", "wood", "cloth", "glass", "paper")


@dataclass(frozen=True)
class World:
    setting: str
    season: str
    weather: str


@dataclass(frozen=True)
class Place:
    preposition: str
    phrase: str  # with its article: "the harbour"


@dataclass(frozen=True)
class Thing:
    phrase: str  # without an article: "small brass compass"
    material: str = ""

    @property
    def noun(self) -> str:
        return self.phrase.rpartition(" ")[2]

    @property
    def floats(self) -> bool:
        return self.material in ("wood", "paper", "cloth")


def make_world(random: Random, animals: bool, season: str, weather: str) -> World:
    """Returns a setting, a season and weather that fits it; `season` and `weather` are drawn if they are empty."""
    season = season or random.choice(SEASONS)
    weather = weather or random.choice(_WEATHER_OF_SEASON[season])
    return World(random.choice(ANIMAL_SETTINGS if animals else HUMAN_SETTINGS), season, weather)


def tables_of(world: World, random: Random) -> dict[str, str]:
    """Returns the tables for `<sight>`, `<sky>`, `<season>` and so on in this world.

    Sights fit the weather: there are no butterflies in the snow, and fog is described by sounds.
    """
    animals = world.setting in ANIMAL_SETTINGS
    kind = "animal" if animals else "people"
    if world.season == "winter":
        sight = f"sight_winter_{kind}"
    elif world.weather in ("foggy", "rainy"):
        sight = f"sight_{world.weather}"
    else:
        sight = f"sight_{world.setting}"
    outdoors = animals or random.random() < 0.5
    return {
        "setting": f"setting_{world.setting}",
        "sight": sight,
        "sky": f"sky_{world.weather}",
        "season": f"season_{world.season}",
        "feast": f"feast_{world.season}",
        "coda": f"coda_{world.season}" if outdoors else f"coda_{world.season}_indoors",
        "doing": f"doing_{kind}",
        "food": f"food_{kind}",
        "snack": f"snack_{kind}",
        "wish": f"wish_{kind}",
        "about": f"about_{kind}",
    }


def make_place(random: Random, world: World, role: str, taken: set[str]) -> Place:
    """Returns a place of the setting that can play a role: wild, water, public or high."""
    options = []
    for entry in table(f"place_{world.setting}"):
        roles, preposition, phrase = entry.split("|")
        if role in roles.split() and phrase not in taken:
            options.append(Place(preposition, phrase))
    return random.choice(options)


def make_thing(random: Random, material: str = "") -> Thing:
    """Returns a small object with a look that fits its material."""
    material = material or random.choice(_MATERIALS)
    noun = random.choice(table(f"thing_{material}"))
    look = random.choice(table(f"look_{material}"))
    return Thing(f"{look} {noun}", material)

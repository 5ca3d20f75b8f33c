"""The return value of task makers, and functions that they share: instructions in several wordings, and words."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import NamedTuple

from tuppence.synthetic.phrasing import Phraser
from tuppence.synthetic.tables import table, tables


class Draft(NamedTuple):
    """A task before it has a kind."""

    instruction: str
    input: str  # may be empty
    output: str


Maker = Callable[[Random], Draft]


def phrased(random: Random, *alternatives: str, **slots: str) -> str:
    """Returns one of the alternatives for an instruction, with its slots filled."""
    phraser = Phraser(random, {})
    phraser.let(**slots)
    return phraser.tell(*alternatives)


@cache
def nouns() -> tuple[str, ...]:
    """Single words for things and animals, which tasks count, spell and sort."""
    found = {word for name, words in tables().items() if name.startswith("thing_") for word in words}
    found |= set(table("tool")) | set(table("animal_kind"))
    for kind in ("animal", "fruit", "vegetable", "tool", "instrument", "vehicle", "garment", "tree"):
        found |= set(table(f"kind_{kind}"))
    return tuple(sorted(word for word in found if word.isalpha()))


@cache
def single_words() -> tuple[str, ...]:
    """The nouns, the trades and the colours, for tasks about letters."""
    trades = {word for word in table("trade") if word.isalpha()}
    return tuple(sorted({*nouns(), *trades, *table("kind_colour"), *table("kind_trade")}))


@cache
def names() -> tuple[str, ...]:
    return (*table("name_girl"), *table("name_boy"))


def thing(random: Random) -> str:
    """An object with a look that fits its material, as in "small brass compass"."""
    material = random.choice(("metal", "wood", "cloth", "glass", "paper"))
    look = random.choice(table(f"look_{material}"))
    return f"{look} {random.choice(table(f'thing_{material}'))}"


def several(random: Random, options: tuple[str, ...], fewest: int, most: int) -> list[str]:
    """`fewest` to `most` different options, in random order."""
    return random.sample(options, random.randint(fewest, most))

"""Tasks to be solved a second time by other means: from their text."""

from __future__ import annotations

import re
from random import Random

from tuppence.synthetic.skills import Draft, Maker
from tuppence.synthetic.tables import table, tables

KINDS = [name.removeprefix("kind_") for name in tables() if name.startswith("kind_")]


def drafts(make: Maker, count: int = 300) -> list[Draft]:
    """Tasks of one maker, the same ones in every run."""
    return [make(Random(f"{make.__name__}/{index}")) for index in range(count)]


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def kind_of(word: str) -> str:
    """The kind that a word belongs to, as the tasks call it; fails if there are two."""
    named = {"instrument": "musical instrument", "garment": "piece of clothing", "day": "day of the week"}
    (kind,) = [kind for kind in KINDS if word in table(f"kind_{kind}")]
    return named.get(kind, kind)

"""The tables: every entry can be read, none comes twice, every table asked for exists."""

from __future__ import annotations

import re
from pathlib import Path

import tuppence.synthetic as synthetic
from tuppence.synthetic.grammar import parse
from tuppence.synthetic.tables import tables

_BUILT_FROM_THE_WORLD = {
    "feast",
    "wish",
    "sight",
    "sky",
    "season",
    "setting",
    "doing",
    "food",
    "snack",
    "coda",
    "about",
}


def test_every_entry_of_every_table_is_a_template_that_can_be_read() -> None:
    for name, entries in tables().items():
        assert entries, name
        if name != "paraphrase" and not name.startswith("place_"):
            for entry in entries:
                parse(entry)


def test_no_table_has_an_entry_twice() -> None:
    for name, entries in tables().items():
        if name not in ("relation_girl", "relation_boy"):  # there, once more means more often
            assert len(set(entries)) == len(entries), name


def test_every_table_that_a_template_names_exists() -> None:
    # `sound` is the example in the docstring of the grammar
    folder = Path(synthetic.__file__).parent
    sources = [*folder.glob("**/*.py"), *folder.glob("tables/*.txt")]
    named = {name for source in sources for name in re.findall(r"<([a-z]\w+)>", source.read_text())}
    assert named - {"sound"} <= set(tables()) | _BUILT_FROM_THE_WORLD

"""The words of the sets: text files of tables, which are read once.

A file holds tables, each under a line `== name`, with one entry on each line. Lines that start with `#` are comments.
Entries are templates in the language of `grammar`.
"""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def tables() -> dict[str, tuple[str, ...]]:
    """Returns all tables of the files in this folder, by name.

    Raises:
        ValueError: two tables have one name, or an entry precedes the first table.
    """
    found: dict[str, list[str]] = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".txt"):
            continue
        entries: list[str] | None = None
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("== "):
                name = line[3:].strip()
                if name in found:
                    raise ValueError(f"{file.name}: table {name} is defined twice")
                entries = found[name] = []
            elif line.strip() and not line.startswith("#"):
                if entries is None:
                    raise ValueError(f"{file.name}: entry before the first table: {line}")
                entries.append(line.strip())
    return {name: tuple(entries) for name, entries in found.items()}


def table(name: str) -> tuple[str, ...]:
    """Returns the entries of a table."""
    return tables()[name]

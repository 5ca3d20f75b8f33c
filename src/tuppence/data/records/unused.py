"""Counts what no reader uses of a table, so that it is reported instead of silently dropped.

Columns, keys of messages, and the first values of keys that are repeated in a JSON object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tuppence.core.console import counted
from tuppence.data.records.messages import MESSAGE_KEYS
from tuppence.data.records.row_weights import weight_of
from tuppence.data.records.tables import Table

_SHOWN = 8
_LONGEST_NAME = 40


@dataclass(frozen=True)
class Unused:
    """Columns, and keys of messages, that were not used.

    Attributes:
        rows: by name, the number of rows with a value; most frequent first. A message key is written as
            "messages[].name", a column without a name as "3rd column (no name)", and a key that occurs more than once
            in an object as 'all but the last value of "text"'.
    """

    rows: Mapping[str, int]

    def __str__(self) -> str:
        """A readable list; empty if nothing is unused."""
        names = [f"{_shown(name)} ({counted(rows, 'row')})" for name, rows in self.rows.items()]
        return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def find_unused(table: Table, used: Collection[str], weights: Collection[str] = ()) -> Unused:
    """The unused columns, and the unknown keys of the messages in the used columns.

    Null, an empty text and an empty list count as no value.

    Args:
        used: columns that are read.
        weights: columns that say which rows are trained; values other than 0 and 1 are counted.

    Example:
        >>> from tuppence.data.records.tables import Row
        >>> talk = [{"role": "user", "content": "Hi", "name": "Ann"}]
        >>> print(find_unused(Table("f", (), [Row("f, row 1", {"id": 1, "messages": talk})], 0), {"messages"}))
        id (1 row), messages[].name (1 row)
    """
    found: Counter[str] = Counter()
    for row in table.rows:
        for column, value in row.values.items():
            if column in weights:
                partial = weight_of(row, column) not in (None, 0, 1)
                found[f"{column} other than 0 and 1"] += partial
            elif column not in used:
                found[table.titles.get(column, str(column))] += not _is_empty(value)
            else:
                found.update(_unknown_keys(str(column), value))
        found.update(f'all but the last value of "{key}"' for key in sorted(row.repeated))
    return Unused({name: rows for name, rows in found.most_common() if rows})


def _unknown_keys(column: str, value: object) -> set[str]:
    """The unknown keys of a row's messages, and weights that are neither 0 nor 1. For OpenAI's object with a list of
    messages: its other keys."""
    if isinstance(value, dict) and "messages" in value:
        return {f"{column}.{key}" for key, cell in value.items() if key != "messages" and not _is_empty(cell)}
    messages = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    found: set[str] = set()
    for message in messages:
        for key, cell in message.items():
            is_partial = key == "weight" and isinstance(cell, float | int) and cell not in (0, 1)
            if is_partial:
                found.add(f"{column}[].weight other than 0 and 1")
            elif key not in MESSAGE_KEYS and not _is_empty(cell):
                found.add(f"{column}[].{key}")
    return found


def _shown(name: str) -> str:
    """A name for messages; a number would look like a count."""
    return f"column '{name}'" if name.isdecimal() else name[:_LONGEST_NAME]


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value == [] or value == {}

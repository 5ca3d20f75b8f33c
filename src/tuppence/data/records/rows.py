"""A row of a user's file. `tables` reads the rows; `labelled`, `conversations` and `preferences` interpret them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError, checked_text


class Row(NamedTuple):
    """One row of a file.

    Attributes:
        where: "FILE, line 12" or "FILE, row 12", for messages (`bad_rows.at_line` and `at_row`).
        values: its cells by column; strings in files of columns, any JSON value in JSON files.
        repeated: keys that occur more than once in an object of the row; of their values the last one is kept.
    """

    where: str
    values: Mapping[str, Any]
    repeated: frozenset[str] = frozenset()

    def text(self, column: str, *, default: str | None = None) -> str:
        """The string in a column.

        Args:
            default: returned if the column is absent or null; without a default, this is an error.

        Raises:
            InputError: the column is absent, or holds no string.
        """
        value = self.values.get(column)
        if value is None and default is not None:
            return default
        if column not in self.values:
            raise BadRowError(f"{self.where}: no '{column}' (it has {_listed(self.values)})")
        return checked_text(value, self.where, f"'{column}'")


class BadRow(NamedTuple):
    """A row that cannot be read, and the number of lines that it takes in the file."""

    error: InputError
    lines: int


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(map(str, list(values)[:8])) or "nothing"

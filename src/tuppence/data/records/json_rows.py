"""The rows of JSON files: a list of objects, one object a line, or one object with a list for each column.

Of repeated keys in an object the last one counts, as json defines it; the row says which keys are repeated. `tables`
calls `json_rows` with the whole text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data.bad_rows import BadRowError, at_line, at_row, json_fault, json_kind
from tuppence.data.records.rows import BadRow, Row


def json_rows(path: str, text: str) -> Iterator[Row | BadRow]:
    """Yields the rows of a JSON file, and an error for each row that cannot be read.

    Raises:
        CorruptFileError: a list is not valid JSON.
    """
    if text.lstrip().startswith("["):
        return _rows_of_list(path, text)
    parser = JsonParser()
    columns, repeated = _columns_of(parser, text)
    return _rows_of_lines(path, text) if columns is None else _transposed(path, columns, repeated)


class JsonParser:
    """Parses JSON as json.loads does, and records the repeated keys of the objects.

    Example:
        >>> parser = JsonParser()
        >>> value = parser.parse('{"a": {"b": 1, "b": 2}}')
        >>> value, parser.repeated_in(value)
        ({'a': {'b': 2}}, frozenset({'b'}))
    """

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._repeated: dict[int, tuple[dict[str, Any], set[str]]] = {}  # by id; holds the object, so the id stays its

    def parse(self, text: str) -> Any:
        """The value of a text; forgets the repeated keys of the previous one.

        Raises:
            ValueError, RecursionError: it is not JSON, or is nested too deeply.
        """
        self._repeated.clear()
        return self._decoder.decode(text)

    def repeated_in(self, value: object) -> frozenset[str]:
        """The repeated keys of all objects inside a value, or a part of it, that was parsed last."""
        if not self._repeated:
            return frozenset()
        found: set[str] = set()
        inner = [value]
        while inner:
            one = inner.pop()
            if isinstance(one, dict):
                found |= self._repeated.get(id(one), ({}, set()))[1]
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        return frozenset(found)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            self._repeated[id(value)] = value, {key for key, count in counts.items() if count > 1}
        return value


def _rows_of_list(path: str, text: str) -> Iterator[Row | BadRow]:
    parser = JsonParser()
    try:
        values = parser.parse(text)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path} is not valid JSON: {error}", "restore the file or make it again") from error
    for number, value in enumerate(values, start=1):
        yield _row(at_row(path, number), value, parser)


def _rows_of_lines(path: str, text: str) -> Iterator[Row | BadRow]:
    parser = JsonParser()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        where = at_line(path, number)
        try:
            value = parser.parse(line)
        except (ValueError, RecursionError) as error:
            message = f"{where}: not valid JSON ({json_fault(error)})"
            if number == 1 and line.strip() == "{":
                bad = InputError(message, "write one JSON object a line, or a list of objects: [{...}, {...}]")
            else:
                bad = BadRowError(message)
            yield BadRow(bad, lines=1)
            continue
        yield _row(where, value, parser)


def _row(where: str, value: object, parser: JsonParser) -> Row | BadRow:
    if isinstance(value, dict):
        return Row(where, value, parser.repeated_in(value))
    return BadRow(BadRowError(f"{where}: not a JSON object but {json_kind(value)}"), lines=1)


def _columns_of(parser: JsonParser, text: str) -> tuple[dict[str, list[Any]] | None, frozenset[str]]:
    """Returns (columns, repeated keys) of a JSON file with one object that maps each column to a list of cells, as
    pandas and `datasets` write it; the columns are None for any other JSON."""
    try:
        value = parser.parse(text)
    except (ValueError, RecursionError):
        return None, frozenset()
    if not isinstance(value, dict) or len(value) < 2:
        return None, frozenset()
    repeated = parser.repeated_in(value)
    cells = list(value.values())
    if all(isinstance(column, dict) for column in cells) and all(column.keys() == cells[0].keys() for column in cells):
        value = {name: list(column.values()) for name, column in value.items()}  # pandas: {"text": {"0": …, "1": …}}
        cells = list(value.values())
    is_table = all(isinstance(column, list) and len(column) == len(cells[0]) for column in cells) and bool(cells[0])
    holds_messages = any(isinstance(cell, dict) for column in cells if isinstance(column, list) for cell in column)
    return (value if is_table and not holds_messages else None), repeated


def _transposed(path: str, columns: Mapping[str, list[Any]], repeated: frozenset[str]) -> Iterator[Row]:
    for number, cells in enumerate(zip(*columns.values(), strict=True), start=1):
        yield Row(at_row(path, number), dict(zip(columns, cells, strict=True)), repeated)

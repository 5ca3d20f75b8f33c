"""Unused columns and keys are counted, most frequent first."""

from __future__ import annotations

from typing import Any

import pytest

from tuppence.data.records.rows import Row
from tuppence.data.records.tables import Table
from tuppence.data.records.unused import Unused, find_unused


def table(*rows: dict[str, Any]) -> Table:
    return Table("f", (), [Row(f"f, row {number}", row) for number, row in enumerate(rows, start=1)], 0)


def test_columns_that_are_not_used_are_counted_by_their_values() -> None:
    rows = table({"text": "a", "id": 1, "note": ""}, {"text": "b", "id": 2, "note": "x"}, {"text": "c", "id": None})
    assert find_unused(rows, {"text"}).rows == {"id": 2, "note": 1}


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_empty_cells_are_not_counted(empty: object) -> None:
    assert find_unused(table({"text": "a", "extra": empty}), {"text"}).rows == {}


def test_unknown_keys_of_messages_and_partial_weights_are_counted() -> None:
    talk = [{"role": "user", "content": "Hi", "weight": 1}, {"role": "assistant", "content": "Yes", "weight": 0.5}]
    found = find_unused(table({"messages": [*talk, {"role": "user", "content": "x", "name": "Ann"}]}), {"messages"})
    assert found.rows == {"messages[].weight other than 0 and 1": 1, "messages[].name": 1}


def test_the_other_keys_of_an_object_with_messages_are_counted() -> None:
    found = find_unused(table({"body": {"messages": [], "tools": ["x"]}}), {"body"})
    assert found.rows == {"body.tools": 1}


def test_a_long_list_is_shortened() -> None:
    names = {f"column {number} {'x' * 60}": 1 for number in range(10)}
    assert str(Unused(names)).endswith(" and 2 more")
    assert str(Unused({})) == ""
    assert len(str(Unused(names))) < 8 * 60


def test_columns_without_a_name_are_described_and_not_shown_as_counts() -> None:
    row = {"text": "a", "2": "x", "3": "y"}
    found = find_unused(Table("f", (), [Row("f, line 2", row)], 0, {"2": "3rd column (no name)"}), {"text"})
    assert str(found) == "3rd column (no name) (1 row), column '3' (1 row)"


def test_repeated_keys_are_counted_by_rows() -> None:
    rows = [Row("f, line 1", {"text": "b"}, frozenset({"text"})), Row("f, line 2", {"text": "c"})]
    assert str(find_unused(Table("f", (), rows, 0), {"text"})) == 'all but the last value of "text" (1 row)'

"""The rows of JSON in its three forms, and their repeated keys."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import pytest

from tuppence.data.records.json_rows import json_rows
from tuppence.data.records.rows import Row

VALUES = [{"text": "one", "n": 1}, {"text": "two", "n": None}]


def rows_of(text: str) -> Sequence[Row]:
    rows = list(json_rows("a.json", text))
    assert all(isinstance(row, Row) for row in rows), rows
    return [row for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (json.dumps(VALUES, indent=1), "row"),
        ("".join(json.dumps(row) + "\n" for row in VALUES), "line"),
        (json.dumps({"text": ["one", "two"], "n": [1, None]}), "row"),
        (json.dumps({"text": {"0": "one", "1": "two"}, "n": {"0": 1, "1": None}}), "row"),  # pandas
    ],
)
def test_a_list_lines_and_columns_have_the_same_rows(text: str, where: str) -> None:
    rows = rows_of(text)
    assert [row.values for row in rows] == VALUES
    assert [row.where for row in rows] == [f"a.json, {where} 1", f"a.json, {where} 2"]
    assert not any(row.repeated for row in rows)


@pytest.mark.parametrize("form", ["[{}]", "{}"])
def test_repeated_keys_are_listed_and_the_last_value_is_read(form: str) -> None:
    objects = (
        '{"text": "one", "text": "two", "talk": [{"role": "user", "role": "x"}]}',
        '{"text": "three", "talk": [{"role": "user"}]}',
    )
    first, second = rows_of(form.replace("{}", (", " if form[0] == "[" else "\n").join(objects)))
    assert (first.values["text"], first.values["talk"]) == ("two", [{"role": "x"}])
    assert (first.repeated, second.repeated) == ({"text", "role"}, set())


@pytest.mark.parametrize("text", ['["a", "b"]', '{"0": "a", "1": "b"}'])
def test_a_repeated_column_is_listed_in_every_row(text: str) -> None:
    last = text.replace("a", "c").replace("b", "d")
    rows = rows_of(f'{{"text": {text}, "label": {text}, "text": {last}}}')
    assert [(row.values["text"], row.repeated) for row in rows] == [("c", {"text"}), ("d", {"text"})]


def test_many_keys_of_which_one_is_repeated_take_no_long_time() -> None:
    cells = ", ".join(f'"{number}": "a"' for number in range(100_000))
    began = time.process_time()
    assert len(rows_of(f'{{"text": {{{cells}, "0": "b"}}, "label": {{{cells}}}}}')) == 100_000
    assert time.process_time() - began < 20

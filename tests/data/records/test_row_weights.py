"""Rows that a file excludes from training are left out and counted; other columns of these names are data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.conversations import read_conversations
from tuppence.data.records.labelled import read_labelled
from tuppence.data.records.preferences import read_preferences
from tuppence.data.records.row_weights import find_row_weights
from tuppence.data.records.rows import Row
from tuppence.data.records.tables import Table

Write = Callable[[str, Any], str]

ALPACA = {"instruction": "Add.", "output": "5"}
PROMPT = {"prompt": "Add.", "completion": "5"}
PAIR = {"prompt": "Add.", "chosen": "5", "rejected": "6"}


@pytest.mark.parametrize("row", [ALPACA, PROMPT])
@pytest.mark.parametrize(
    "cells",
    [
        *({"weight": 0}, {"weight": 0.0}, {"weight": False}, {"train": False}, {"train": 0}),
        *({"training": False}, {"loss": False}),
    ],
)
def test_instructions_of_weight_0_are_left_out_of_training(write: Write, row: dict[str, Any], cells: Any) -> None:
    path = write("rows.jsonl", [row | cells, row, row | dict.fromkeys(cells, True)])
    found = read_conversations(path, trained_only=True)
    assert (len(found.rows), found.untrained_rows, dict(found.unused.rows)) == (2, 1, {})
    assert len(read_conversations(path).rows) == 3  # for an evaluation


def test_preferences_of_weight_0_are_left_out_of_training(write: Write) -> None:
    found = read_preferences(write("rows.jsonl", [PAIR | {"weight": 0}, PAIR, PAIR]), trained_only=True)
    assert (len(found.rows), found.untrained_rows) == (2, 1)


@pytest.mark.parametrize(
    ("name", "no", "yes"), [("weight", "0", "1"), ("weight", "0.0", ""), ("train", "False", "True")]
)
def test_labelled_texts_of_weight_0_are_left_out_of_training(write: Write, name: str, no: str, yes: str) -> None:
    path = write("rows.csv", f"text,label,{name}\none,a,{yes}\ntwo,b,{no}\nthree,b,{yes}\n")
    found = read_labelled(path, trained_only=True)
    assert ([row.text for row in found.rows], found.untrained_rows) == (["one", "three"], 1)


def test_a_label_column_is_not_read_as_weight(write: Write) -> None:
    path = write("rows.csv", "text,weight\none,0\ntwo,1\nthree,0\n")
    found = read_labelled(path, label_column="weight", trained_only=True)
    assert (len(found.rows), found.untrained_rows, found.labels) == (3, 0, ("0", "1"))


def test_weights_other_than_0_and_1_are_counted(write: Write) -> None:
    found = read_conversations(write("rows.jsonl", [ALPACA | {"weight": w} for w in (0, 0.5, 1, 3)]), trained_only=True)
    assert (len(found.rows), dict(found.unused.rows)) == (3, {"weight other than 0 and 1": 2})


@pytest.mark.parametrize(
    ("column", "values", "is_weight"),
    [
        ("weight", [0, 0.5], True),
        ("weight", [0, 1, 2], True),
        ("weight", [0, None, None], True),
        ("weight", [0, 72.5, 80], False),
        ("weight", [0.2, 0.5], False),
        ("weight", [-1, 0, 1], False),
        ("weight", ["0", "heavy"], False),
        ("train", [0, 1, 2], False),
        ("train", ["false", "TGV"], False),
        ("Weight", [0, 1], False),
        ("training", [0, 1], True),
        ("loss", ["False", "true"], True),
        ("loss", [0, 1], False),  # perhaps a loss of zero
        ("loss", [0.31, 0.0], False),
    ],
)
def test_only_columns_of_valid_weights_are_read(column: str, values: Sequence[Any], is_weight: bool) -> None:
    table = Table("f", (column,), [Row("f", {column: value}) for value in values], 0)
    assert find_row_weights(table, ()) == ({column} if is_weight else set())


def test_a_file_without_a_trained_row_is_refused(write: Write) -> None:
    with pytest.raises(InputError, match="every row has weight 0: no row is left") as caught:
        read_preferences(write("rows.jsonl", [PAIR | {"weight": 0}] * 2), trained_only=True)
    assert "remove the column weight" in caught.value.hint

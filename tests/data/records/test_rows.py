"""The text of a row in a column; the error names the columns that the row has."""

from __future__ import annotations

import pytest

from tuppence.data.bad_rows import BadRowError
from tuppence.data.records.rows import Row

ROW = Row("a.jsonl, line 3", {"text": "It rained.", "label": None, "number": 7})


def test_a_missing_or_null_column_gives_the_default() -> None:
    assert ROW.text("text", default="none") == "It rained."
    assert ROW.text("label", default="none") == ROW.text("other", default="none") == "none"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("other", r"line 3: no 'other' \(it has text, label, number\)"),
        ("label", "line 3: 'label' is not a string but null"),
        ("number", "line 3: 'number' is not a string but a number"),
    ],
)
def test_a_column_without_a_text_is_an_error(column: str, message: str) -> None:
    with pytest.raises(BadRowError, match=message):
        ROW.text(column)

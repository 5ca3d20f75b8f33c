"""A text of a row is accepted exactly if it can be encoded as UTF-8."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.data.bad_rows import ROW_HINT, BadRowError, checked_text, json_kind


def is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@given(st.text(st.characters(), max_size=6))
def test_a_text_is_accepted_exactly_if_it_has_utf8(text: str) -> None:
    if is_utf8(text):
        assert checked_text(text, "a.csv, line 2", "'text'") == text
        return
    with pytest.raises(BadRowError, match=r"^a\.csv, line 2: 'text' is not valid Unicode") as caught:
        checked_text(text, "a.csv, line 2", "'text'")
    assert caught.value.hint == ROW_HINT


@pytest.mark.parametrize(
    ("value", "kind"),
    [("null", "null"), ("true", "a truth value"), ("1", "a number"), ("[]", "a list"), ("{}", "an object")],
)
def test_the_error_for_another_value_names_its_json_type(value: str, kind: str) -> None:
    assert json_kind(json.loads(value)) == kind
    with pytest.raises(BadRowError, match=f"'text' is not a string but {kind}"):
        checked_text(json.loads(value), "a.jsonl, line 1", "'text'")

"""Stripping keeps the message that each part of a text comes from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.tokenizer.traced_text import Piece, TracedText, literal


@given(st.lists(st.text(alphabet=" a\n", max_size=4), max_size=4))
def test_stripping_equals_str_strip(parts: list[str]) -> None:
    text = TracedText(Piece(part, number) for number, part in enumerate(parts))
    assert text.stripped().plain == "".join(parts).strip()
    assert all(piece.text.strip() in parts[piece.message or 0] for piece in text.stripped())


@pytest.mark.parametrize(("text", "pieces"), [("", ()), ("x", (Piece("x", None),))])
def test_a_literal_has_no_message(text: str, pieces: tuple[Piece, ...]) -> None:
    assert literal(text) == pieces

from __future__ import annotations

import io

import pytest

from tuppence.data.line_ends import has_only_returns, line_end_of, with_line_feeds


@pytest.mark.parametrize(
    "text", ["", "\r", "a", "a\r", "a\rb", "a\r\rb\r", "a\r\nb\r\n", "a\nb\rc", "\r\n\r", "é\r\r\né"]
)
def test_line_feeds_are_those_of_pythons_universal_newlines(text: str) -> None:
    assert with_line_feeds(text) == io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline=None).read()


@pytest.mark.parametrize("text", ["a\rb", "a\rb\r", "a\r\rb", "\rb"])
def test_carriage_returns_alone_end_lines(text: str) -> None:
    assert line_end_of(text.encode()) == b"\r"
    assert has_only_returns(text)


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\r\nb", "a\rb\n", "a\r", "a\r\r"])
def test_a_line_feed_anywhere_or_a_return_at_the_end_alone_is_the_usual_line_end(text: str) -> None:
    assert line_end_of(text.encode()) == b"\n"

"""Documents of text files: separators, encodings, and bytes that are not text."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.reading import documents_of, pieces_of, write

from tuppence.core.errors import InputError
from tuppence.data import pieces, unpacking
from tuppence.data.text_files import SEPARATOR


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        ("one", ["one"]),
        ("one\n", ["one\n"]),
        (f"one\n{SEPARATOR}\ntwo", ["one", "two"]),
        (f"one\r\n{SEPARATOR}\r\ntwo\r\n", ["one", "two\r\n"]),
        (f"one{SEPARATOR}two", ["one", "two"]),
        (f"one\n\n{SEPARATOR}\n\n two \n", ["one\n", "\n two \n"]),
        (f"{SEPARATOR}\none\n{SEPARATOR}\n \n{SEPARATOR}\n", ["one"]),
        ("\ufeffone", ["one"]),
    ],
)
def test_a_separator_includes_one_line_break_on_each_side(tmp_path: Path, content: str, documents: list[str]) -> None:
    assert documents_of(write(tmp_path / "a.txt", content)) == documents


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    texts=st.lists(st.text(alphabet="ab é字\n|<", min_size=1, max_size=30).map("x{}x".format), min_size=1, max_size=8),
    size=st.integers(1, 16),
)
def test_documents_do_not_depend_on_where_chunks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str], size: int
) -> None:
    path = write(tmp_path / "a.txt", f"\n{SEPARATOR}\n".join(texts))
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", size)
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 8)
    found = pieces_of(path)
    assert documents_of(path) == texts
    assert all(len(piece.text) <= 8 for piece in found)
    assert [piece.number for piece in found if piece.last] == list(range(1, len(texts) + 1))


@pytest.mark.parametrize("chunk", [5, 2**20])
def test_the_error_names_offset_and_line_of_a_byte_that_is_not_utf8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", chunk)
    path = write(tmp_path / "a.txt", b"first\nsecond caf\xe9 au lait\n")
    with pytest.raises(InputError, match=r"not UTF-8: byte 0xe9 at offset 16 \(line 2\)"):
        pieces_of(path)


def test_an_incomplete_character_at_the_end_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"byte 0xe2 at offset 6 \(line 2\)"):
        pieces_of(write(tmp_path / "a.txt", b"euro:\n\xe2\x82"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("hello".encode("utf-16"), "is UTF-16"),
        ("hello".encode("utf-32"), "is UTF-32"),
        (codecs.BOM_UTF32_BE + "hello".encode("utf-32-be"), "is UTF-32"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is binary: a zero byte at offset 8|not UTF-8: byte 0x89"),
        (b"text\0text", "is binary: a zero byte at offset 4"),
        (b" \n \n", "holds no text"),
    ],
)
def test_files_that_are_not_text_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        pieces_of(write(tmp_path / "a.txt", content))

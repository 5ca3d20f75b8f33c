"""Every kind of file has a reader; the errors for files without text are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.reading import documents_of, pieces_of, write

from tuppence.core.errors import InputError
from tuppence.data.pieces import ReadReport


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_the_error_names_utf_16_for_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", '{"text": "one"}\n'.encode("utf-16"))
    for skip in (False, True):
        with pytest.raises(InputError, match="is UTF-16, not UTF-8") as caught:
            pieces_of(path, skip=skip)
        assert caught.value.hint == f"convert it: iconv -f UTF-16 -t UTF-8 {path} > new{suffix}"


def test_a_file_without_a_good_row_is_named_in_the_report(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"content": "one"}\n{"content": "two"}\n')
    report = ReadReport()
    assert pieces_of(path, skip=True, report=report) == []
    assert report.without_good_rows == {str(path): 2}


def test_the_text_is_read_from_the_named_key(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"body": "one"}\n')
    assert documents_of(path, key="body") == ["one"]

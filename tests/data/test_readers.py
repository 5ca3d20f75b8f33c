"""Every kind of file goes to its reader, and says the same where it holds no text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.reading import documents_of, pieces_of, write

from tuppence.core.errors import InputError


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_utf_16_is_named_whatever_is_read(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", '{"text": "one"}\n'.encode("utf-16"))
    for skip in (False, True):
        with pytest.raises(InputError, match="is UTF-16, not UTF-8") as caught:
            pieces_of(path, skip=skip)
        assert caught.value.hint == f"convert it: iconv -f UTF-16 -t UTF-8 {path} > new{suffix}"


def test_a_file_of_which_every_row_is_skipped_says_why(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"content": "one"}\n{"content": "two"}\n')
    with pytest.raises(
        InputError, match=r"all 2 rows of .*a\.jsonl were skipped; the first: .*no key 'text'"
    ) as caught:
        pieces_of(path, skip=True)
    assert caught.value.hint == "name the key with --text-key"


def test_another_key_can_hold_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"body": "one"}\n')
    assert documents_of(path, key="body") == ["one"]

"""What we write, we read back document for document."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.output import write_documents
from tuppence.data.sources import iter_documents

TEXTS = ["One.", "Two\n\nparagraphs.\n", "  Indented — and more.", "<|endoftext in part"]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_documents_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    ticks: list[None] = []
    size = write_documents(tmp_path / name, iter(TEXTS), lambda: ticks.append(None))
    assert size == (tmp_path / name).stat().st_size
    assert len(ticks) == len(TEXTS)
    assert ["".join(document.blocks) for document in iter_documents([str(tmp_path / name)])] == TEXTS


def test_a_text_that_holds_the_separator_goes_into_jsonl_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="document 2 holds"):
        write_documents(tmp_path / "a.txt", ["one", "two <|endoftext|>"])
    assert list(tmp_path.iterdir()) == []
    write_documents(tmp_path / "a.jsonl", ["one", "two <|endoftext|>"])
    texts = ["".join(document.blocks) for document in iter_documents([str(tmp_path / "a.jsonl")])]
    assert texts == ["one", "two <|endoftext|>"]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"we write \.txt and \.jsonl"):
        write_documents(tmp_path / "a.csv", ["one"])

"""Written documents and rows are read back unchanged, by this package and by others."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.output import write_documents, write_rows
from tuppence.data.sources import iter_documents

TEXTS = ["One.", "Two\n\nparagraphs.\n", "  Indented — and more.", "<|endoftext in part"]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_written_documents_are_read_back_unchanged(tmp_path: Path, name: str) -> None:
    ticks: list[None] = []
    size = write_documents(tmp_path / name, iter(TEXTS), lambda: ticks.append(None))
    assert size == (tmp_path / name).stat().st_size
    assert len(ticks) == len(TEXTS)
    assert ["".join(document.blocks) for document in iter_documents([str(tmp_path / name)])] == TEXTS


def test_a_text_with_the_separator_is_written_only_to_jsonl(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="document 2 contains"):
        write_documents(tmp_path / "a.txt", ["one", "two <|endoftext|>"])
    assert list(tmp_path.iterdir()) == []
    write_documents(tmp_path / "a.jsonl", ["one", "two <|endoftext|>"])
    texts = ["".join(document.blocks) for document in iter_documents([str(tmp_path / "a.jsonl")])]
    assert texts == ["one", "two <|endoftext|>"]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"we write \.txt and \.jsonl"):
        write_documents(tmp_path / "a.csv", ["one"])


ROWS = [{"label": "ham", "text": 'She said "yes", then left'}, {"label": "spam", "text": "£5 — café,\tor not"}]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv"])
def test_written_rows_are_read_back_unchanged(tmp_path: Path, name: str) -> None:
    ticks: list[None] = []
    size = write_rows(tmp_path / name, iter(ROWS), lambda: ticks.append(None))
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert size == len(text.encode())
    assert len(ticks) == len(ROWS)
    assert {
        "a.json": json.loads,
        "a.jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
        "a.csv": lambda text: list(csv.DictReader(io.StringIO(text))),
    }[name](text) == ROWS


def test_a_tsv_has_no_header_and_no_quotes(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.tsv", ROWS[:1])
    assert (tmp_path / "a.tsv").read_bytes() == b'ham\tShe said "yes", then left\n'
    with pytest.raises(InputError, match="row 1 contains a tab"):
        write_rows(tmp_path / "b.tsv", ROWS[1:])
    assert not (tmp_path / "b.tsv").exists()


def test_an_empty_list_is_written_as_json(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.json", [])
    assert json.loads((tmp_path / "a.json").read_text()) == []


def test_rows_are_not_written_as_plain_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"we write \.json, \.jsonl, \.csv and \.tsv"):
        write_rows(tmp_path / "a.txt", ROWS)

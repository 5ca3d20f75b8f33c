"""Streams of documents and texts over many files, and over the real novels."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.sources import iter_documents, iter_pieces, iter_texts, total_bytes


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("one\n<|endoftext|>\ntwo")
    (tmp_path / "b.jsonl").write_text('{"text": "three"}\n{"other": 1}\n{"text": "four"}\n')
    (tmp_path / "c.md.gz").write_bytes(gzip.compress(b"# five"))
    return tmp_path


def test_documents_of_several_files_have_names_and_are_in_order(corpus: Path) -> None:
    found = [
        (document.name, "".join(document.blocks)) for document in iter_documents([str(corpus)], skip_bad_rows=True)
    ]
    assert found == [
        (f"{corpus}/a.txt:1", "one"),
        (f"{corpus}/a.txt:2", "two"),
        (f"{corpus}/b.jsonl:1", "three"),
        (f"{corpus}/b.jsonl:3", "four"),
        (f"{corpus}/c.md.gz:1", "# five"),
    ]


def test_skipped_rows_are_reported_with_a_count(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(iter_texts([str(corpus)], skip_bad_rows=True)) == ["one", "two", "three", "four", "# five"]
    assert "skipped 1 bad row; the first: " in capsys.readouterr().err
    with pytest.raises(InputError, match="line 2: no key 'text'"):
        list(iter_texts([str(corpus)]))


def test_a_file_of_bad_rows_alone_is_skipped_if_another_has_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = tmp_path / "bad.jsonl", tmp_path / "good.jsonl"
    bad.write_text('{"text": 1}\nnot json\n')
    good.write_text('{"text": "one"}\n')
    for inputs in ([str(bad), str(good)], [str(good), str(bad)]):
        assert list(iter_texts(inputs, skip_bad_rows=True)) == ["one"]
        assert f"nothing was read from {bad}: all 2 rows are bad" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"all 2 rows of .*bad\.jsonl were skipped; the first: .*line 1") as caught:
        list(iter_texts([str(bad)], skip_bad_rows=True))
    assert caught.value.hint == 'write each row as an object like {"text": "…"}, or name a file with such rows'
    bad.write_text('{"content": "one"}\n')
    with pytest.raises(InputError, match=r"the only row .*no key 'text'") as caught:
        list(iter_texts([str(bad)], skip_bad_rows=True))
    assert caught.value.hint == "name the key with --text-key"


def test_bytes_are_counted_before_unpacking(corpus: Path) -> None:
    counted: list[int] = []
    list(iter_texts([str(corpus)], skip_bad_rows=True, on_bytes=counted.append))
    assert sum(counted) == total_bytes([str(corpus)]) == sum(path.stat().st_size for path in corpus.iterdir())


def test_unread_blocks_of_a_document_are_skipped(tmp_path: Path) -> None:
    rows = [{"text": "word " * 500_000}, {"text": "next"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    firsts = [next(document.blocks)[:4] for document in iter_documents([str(tmp_path / "a.jsonl")])]
    assert firsts == ["word", "next"]


def test_files_without_any_text_are_refused_together(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(" \n")
    with pytest.raises(InputError, match="holds no text"):
        list(iter_texts([str(tmp_path)]))


def test_memory_does_not_grow_with_a_single_document(tmp_path: Path) -> None:
    def peak(megabytes: int) -> int:
        path = tmp_path / f"{megabytes}.txt.gz"
        with gzip.open(path, "wt", compresslevel=1) as out:
            for _ in range(megabytes):
                out.write("It was a dark and stormy night. " * 31_250)
        tracemalloc.start()
        read = sum(len(piece.text) for piece in iter_pieces([str(path)]))
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert read == megabytes * 1_000_000
        return largest

    assert peak(60) < 1.2 * peak(12) < 25e6


def test_all_text_of_the_87_novels_is_read(shared_data: Path) -> None:
    path = shared_data / "text/english-novels/train.txt.gz"
    documents = [("".join(document.blocks)) for document in iter_documents([str(path)])]
    whole = gzip.decompress(path.read_bytes()).decode()
    assert documents == whole.split("\n<|endoftext|>\n")
    assert len(documents) == 87

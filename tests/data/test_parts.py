"""Every document is in exactly one part, in the order of the whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.data.inputs import find_sources
from tuppence.data.parts import Part, sources_of_part
from tuppence.data.sources import iter_pieces, total_bytes


def texts_of(folder: Path, part: Part | None = None) -> list[str]:
    return [piece.text for piece in iter_pieces(str(folder), part=part)]


def rows(texts: list[str], end: str = "\n") -> bytes:
    return "".join(json.dumps({"text": text}) + end for text in texts).encode()


@given(
    files=st.lists(st.lists(st.text("ab é\n", max_size=30), min_size=1, max_size=9), min_size=1, max_size=5),
    kinds=st.lists(st.sampled_from([".jsonl", ".jsonl.gz", ".txt", ".jsonl\r\n", ".jsonl\r"]), min_size=5, max_size=5),
    of=st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_the_parts_in_order_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str]], kinds: list[str], of: int
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    for number, (texts, kind) in enumerate(zip(files, kinds, strict=False)):
        texts = [f"{number} {text}" for text in texts]
        suffix, end = kind.rstrip("\r\n"), kind.removeprefix(".jsonl").removeprefix(".gz").removeprefix(".txt") or "\n"
        content = rows(texts, end) if suffix != ".txt" else texts[0].encode()
        (folder / f"{number}{suffix}").write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    whole = texts_of(folder)
    assert [text for number in range(1, of + 1) for text in texts_of(folder, Part(number, of))] == whole


def test_a_file_of_rows_is_cut_into_equal_ranges(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(rows([f"{number:09}" for number in range(1000)]))
    sizes = [len(texts_of(tmp_path, Part(number, 7))) for number in range(1, 8)]
    assert sum(sizes) == 1000
    assert max(sizes) - min(sizes) <= 1
    assert sum(total_bytes(str(tmp_path), Part(number, 7)) for number in range(1, 8)) == total_bytes(str(tmp_path))


def test_a_range_without_the_beginning_of_a_line_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(rows(["x" * 1000, "y"]))
    assert [len(texts_of(tmp_path, Part(number, 4))) for number in range(1, 5)] == [1, 0, 0, 1]


def test_an_error_in_a_range_names_the_byte_at_which_it_begins(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(rows(["good"] * 10) + b"bad\n")
    texts_of(tmp_path, Part(1, 2))
    with pytest.raises(InputError, match=r"a\.jsonl from byte \d+, line 5: not valid JSON"):
        texts_of(tmp_path, Part(2, 2))


def test_files_inside_a_part_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / f"{number}.jsonl").write_bytes(rows(["abc"]))
    sources = find_sources(str(tmp_path))
    monkeypatch.setattr(type(sources[0].store), "open", None)
    assert [len(sources_of_part(sources, Part(number, 2))) for number in (1, 2)] == [2, 2]


@pytest.mark.parametrize("text", ["0/5", "6/5", "1", "a/b", "1/0", "-1/5", "1/5/5", ""])
def test_a_part_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no part"):
        Part.of_text(text)

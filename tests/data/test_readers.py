"""Every kind of file becomes the same documents; bad bytes and bad rows are named by place."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data import readers, unpacking
from tuppence.data.inputs import find_sources
from tuppence.data.readers import PIECE_CHARACTERS, SEPARATOR, Piece, ReadReport, read_pieces


def pieces_of(path: Path, *, skip: bool = False, key: str = "text", report: ReadReport | None = None) -> list[Piece]:
    source = find_sources([str(path)])[0]
    return list(read_pieces(source, text_key=key, skip_bad_rows=skip, report=report or ReadReport()))


def documents_of(path: Path, **options: object) -> list[str]:
    texts, text = [], ""
    for piece in pieces_of(path, **options):  # type: ignore[arg-type]
        text += piece.text
        if piece.last:
            texts.append(text)
            text = ""
    assert text == "", "the last document does not end"
    return texts


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


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
def test_a_separator_takes_one_line_break_on_either_side_with_it(
    tmp_path: Path, content: str, documents: list[str]
) -> None:
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
    monkeypatch.setattr(readers, "PIECE_CHARACTERS", 8)
    found = pieces_of(path)
    assert documents_of(path) == texts
    assert all(len(piece.text) <= 8 for piece in found)
    assert [piece.number for piece in found if piece.last] == list(range(1, len(texts) + 1))


def test_a_document_is_cut_the_same_way_wherever_it_stands(tmp_path: Path) -> None:
    long = "It was a dark and stormy night; the rain fell in torrents. " * 50_000
    texts = {
        "alone.txt": long,
        "after.txt": f"A short one.\n{SEPARATOR}\n{long}",
        "before.txt": f"{long}\n{SEPARATOR}\nA short one.",
        "row.jsonl": json.dumps({"text": long}),
    }
    cuts = []
    for name, content in texts.items():
        pieces = pieces_of(write(tmp_path / name, content))
        cuts.append([len(piece.text) for piece in pieces if len(piece.text) > 100])
    assert len(cuts[0]) == 3
    assert max(cuts[0]) <= PIECE_CHARACTERS
    assert cuts.count(cuts[0]) == len(cuts)


def test_a_text_without_any_safe_place_is_cut_at_the_limit(tmp_path: Path) -> None:
    pieces = pieces_of(write(tmp_path / "a.txt", "a" * (PIECE_CHARACTERS + 100)))
    assert [len(piece.text) for piece in pieces] == [PIECE_CHARACTERS, 100]


@pytest.mark.parametrize("chunk", [5, 2**20])
def test_a_byte_that_is_not_utf8_is_named_with_offset_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", chunk)
    path = write(tmp_path / "a.txt", b"first\nsecond caf\xe9 au lait\n")
    with pytest.raises(InputError, match=r"not UTF-8: byte 0xe9 at offset 16 \(line 2\)"):
        pieces_of(path)


def test_a_character_cut_off_at_the_end_of_the_file_is_named(tmp_path: Path) -> None:
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
def test_what_is_not_text_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        pieces_of(write(tmp_path / "a.txt", content))


BAD_ROWS = {
    '{"title": "no text"}': r"row 3: no key 'text' \(it has title\)",
    '{"text": 7}': "row 3: 'text' is not a string but a number",
    '{"text": null}': "row 3: 'text' is not a string but null",
    '{"text": "half': "row 3: not valid JSON",
    "[1, 2]": "row 3: not a JSON object but a list",
    '{"text": "\\ud800"}': "row 3: 'text' is not valid Unicode",
}


@pytest.mark.parametrize(("row", "complaint"), BAD_ROWS.items())
def test_a_bad_row_is_named_by_its_number_and_can_be_skipped(tmp_path: Path, row: str, complaint: str) -> None:
    path = write(tmp_path / "a.jsonl", f'{{"text": "one"}}\n\n{row}\n{{"text": "two"}}\n')
    with pytest.raises(InputError, match=complaint) as caught:
        pieces_of(path)
    assert "--skip-bad-rows" in caught.value.hint
    report = ReadReport()
    assert documents_of(path, skip=True, report=report) == ["one", "two"]
    assert (report.documents, report.skipped_rows) == (2, 1)


def test_a_row_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 2: not UTF-8 \(byte 13 of the row\)"):
        pieces_of(write(tmp_path / "a.jsonl", b'{"text": "ok"}\n{"text": "caf\xe9"}\n'))


def test_a_json_array_is_told_apart_from_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 1: not valid JSON") as caught:
        pieces_of(write(tmp_path / "a.json", '[\n  {"text": "one"}\n]\n'))
    assert "JSON array" in caught.value.hint


def test_a_row_longer_than_the_limit_is_refused_instead_of_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "ROW_LIMIT_BYTES", 2**20)
    with pytest.raises(InputError, match="row 1: longer than 1 MiB"):
        pieces_of(write(tmp_path / "a.jsonl", '{"text": "' + "a" * 3 * 2**20))


def test_a_row_longer_than_the_limit_is_skipped_like_any_bad_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "ROW_LIMIT_BYTES", 2**20)
    long = '{"text": "' + "a" * 3 * 2**20 + '"}'
    path = write(tmp_path / "a.jsonl", f'{{"text": "one"}}\n{long}\n\n{{"text": "two"}}\n{long}')
    with pytest.raises(InputError, match="row 2: longer than 1 MiB") as caught:
        pieces_of(path)
    assert "--skip-bad-rows" in caught.value.hint
    report = ReadReport()
    assert documents_of(path, skip=True, report=report) == ["one", "two"]
    assert report.skipped_rows == 2


@given(rows=st.lists(st.text(alphabet="ab\n ", max_size=6), max_size=6), size=st.integers(1, 5))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_rows_do_not_depend_on_where_chunks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str], size: int
) -> None:
    texts = [f"x{row}" for row in rows]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps({"text": text}) + "\n\n" for text in texts) + " \n")
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", size)
    if texts:
        assert documents_of(path) == texts


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


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ('{"data": [\n{"text": "one"}\n]}\n', "jq -c '.data[]'"),
        ('{\n "text": "one"\n}\n', "jq -c ."),
        ('{"text": "one"},\n{"text": "two"},\n', "remove the comma"),
    ],
)
def test_json_that_is_not_one_row_a_line_gets_a_hint_that_repairs_it(tmp_path: Path, content: str, hint: str) -> None:
    with pytest.raises(InputError, match="row 1: not valid JSON") as caught:
        pieces_of(write(tmp_path / "a.json", content))
    assert hint in caught.value.hint


def test_a_nested_key_is_named_with_a_dot(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"meta": {"text": "one"}}\n{"meta.text": "two"}\n')
    assert documents_of(path, key="meta.text") == ["one", "two"]
    with pytest.raises(InputError, match=r"row 1: no key 'meta\.body' \(it has meta\)"):
        pieces_of(path, key="meta.body")
    table = pyarrow.table({"meta": [{"text": "one", "n": 1}, {"text": "two", "n": 2}], "n": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet", key="meta.text") == ["one", "two"]
    with pytest.raises(InputError, match=r"no column 'meta\.body'"):
        pieces_of(tmp_path / "a.parquet", key="meta.body")


@pytest.mark.parametrize(
    "kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.binary(), pyarrow.large_binary(), "dictionary"]
)
def test_text_in_parquet_is_read_however_it_is_stored(tmp_path: Path, kind: object) -> None:
    texts = pyarrow.array(["one", "zwölf"], pyarrow.string())
    column = texts.dictionary_encode() if kind == "dictionary" else texts.cast(kind)
    pyarrow.parquet.write_table(pyarrow.table({"text": column}), tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet") == ["one", "zwölf"]


@pytest.mark.parametrize(("values", "name"), [([1, 2], "int64"), ([["a"], ["b"]], "list"), ([{"a": "b"}], "struct")])
def test_a_parquet_column_without_text_is_refused_as_a_column(tmp_path: Path, values: list[object], name: str) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": values}), tmp_path / "a.parquet")
    for skip in (False, True):
        with pytest.raises(InputError, match=f"column 'text' holds {name}, not text") as caught:
            pieces_of(tmp_path / "a.parquet", skip=skip)
        assert "--text-key" in caught.value.hint


def test_another_key_can_hold_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"body": "one"}\n')
    assert documents_of(path, key="body") == ["one"]


def test_parquet_rows_are_documents(tmp_path: Path) -> None:
    texts = [f"document {number} — ü" for number in range(1000)]
    pyarrow.parquet.write_table(pyarrow.table({"id": range(1000), "text": texts}), tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet") == texts
    with pytest.raises(InputError, match=r"no column 'body' \(it has id, text\)"):
        pieces_of(tmp_path / "a.parquet", key="body")


def test_bytes_in_parquet_that_are_no_text_are_a_bad_row(tmp_path: Path) -> None:
    stored = pyarrow.array([b"one", "caf\xe9".encode("latin-1"), b"two"], pyarrow.binary())
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 3, stored.buffers())  # nobody looks at them
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 2: 'text' is not UTF-8"):
        pieces_of(tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet", skip=True) == ["one", "two"]


def test_an_array_on_one_line_is_told_how_to_become_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('[{"text": "one"}]\n')
    with pytest.raises(InputError) as refused:
        pieces_of(tmp_path / "a.jsonl")
    assert "looks like a JSON array" in refused.value.hint


def test_a_null_in_parquet_is_a_bad_row(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one", None, "two"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 2: 'text' is not a string"):
        pieces_of(tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet", skip=True) == ["one", "two"]


@pytest.mark.parametrize("damage", [lambda whole: b"PAR1" + b"x" * 100, lambda whole: whole[: len(whole) // 2]])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, damage: object) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one"] * 1000}), tmp_path / "a.parquet")
    write(tmp_path / "a.parquet", damage((tmp_path / "a.parquet").read_bytes()))  # type: ignore[operator]
    with pytest.raises(CorruptFileError, match="not a sound parquet file"):
        pieces_of(tmp_path / "a.parquet")

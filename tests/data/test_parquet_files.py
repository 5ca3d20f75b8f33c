"""Text columns of parquet files, in all types that store text."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from tests.data.reading import documents_of, pieces_of, write

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data.pieces import ReadReport


@pytest.mark.parametrize(
    "kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.binary(), pyarrow.large_binary(), "dictionary"]
)
def test_text_is_read_from_all_text_types_of_parquet(tmp_path: Path, kind: object) -> None:
    texts = pyarrow.array(["one", "zwölf"], pyarrow.string())
    column = texts.dictionary_encode() if kind == "dictionary" else texts.cast(kind)
    pyarrow.parquet.write_table(pyarrow.table({"text": column}), tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet") == ["one", "zwölf"]


@pytest.mark.parametrize(
    ("columns", "name", "hint"),
    [
        ({"text": [1, 2]}, "int64", "make it a column of strings"),
        ({"id": [1, 2], "text": [["a"], ["b"]]}, "list", "make it a column of strings"),
        ({"id": [1], "body": ["a"], "text": [1]}, "int64", "--text-key (there is body)"),
        ({"text": [{"a": "b", "n": 1}]}, "struct", "--text-key (there is text.a)"),
    ],
)
def test_a_parquet_column_without_text_is_refused_and_columns_of_text_are_named(
    tmp_path: Path, columns: dict[str, list[object]], name: str, hint: str
) -> None:
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    for skip in (False, True):
        with pytest.raises(InputError, match=f"column 'text' holds {name}, not text") as caught:
            pieces_of(tmp_path / "a.parquet", skip=skip)
        assert caught.value.hint.endswith(hint)


def test_parquet_rows_are_documents(tmp_path: Path) -> None:
    texts = [f"document {number} — ü" for number in range(1000)]
    pyarrow.parquet.write_table(pyarrow.table({"id": range(1000), "text": texts}), tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet") == texts
    with pytest.raises(InputError, match=r"no column 'body' \(it has id, text\)"):
        pieces_of(tmp_path / "a.parquet", key="body")


def test_weights_in_parquet_are_counted_as_not_used(tmp_path: Path) -> None:
    table = pyarrow.table({"weight": [0.0, 1.0, 0.5], "body": ["one", "two", "three"], "train": [True, False, None]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    report = ReadReport()
    assert documents_of(tmp_path / "a.parquet", key="body", report=report) == ["one", "two", "three"]
    assert report.unused == {"weight 0": 1, "weight other than 0 and 1": 1, "train false": 1}


def test_bytes_that_are_not_utf8_are_a_bad_row(tmp_path: Path) -> None:
    stored = pyarrow.array([b"one", "caf\xe9".encode("latin-1"), b"two"], pyarrow.binary())
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 3, stored.buffers())  # the bytes are not checked
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 2: 'text' is not UTF-8"):
        pieces_of(tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet", skip=True) == ["one", "two"]


def test_a_null_in_parquet_is_a_bad_row(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one", None, "two"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 2: 'text' is not a string"):
        pieces_of(tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet", skip=True) == ["one", "two"]


@pytest.mark.parametrize("damage", [lambda whole: b"PAR1" + b"x" * 100, lambda whole: whole[: len(whole) // 2]])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, damage: object) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one"] * 1000}), tmp_path / "a.parquet")
    write(tmp_path / "a.parquet", damage((tmp_path / "a.parquet").read_bytes()))  # type: ignore[operator]
    with pytest.raises(CorruptFileError, match="not a valid parquet file"):
        pieces_of(tmp_path / "a.parquet")

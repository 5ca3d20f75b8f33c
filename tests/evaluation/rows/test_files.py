from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.evaluation.rows import files as module
from tuppence.evaluation.rows.files import find_file, read_rows, sha256_of

ROWS = [{"query": "q", "choices": ["a", "b"], "gold": 1}, {"query": "r", "choices": ["c", "d"], "gold": 0}]


def write_parquet(path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def test_rows_come_from_lines_lists_and_tables(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, ROWS)))
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    write_parquet(tmp_path / "a.parquet")
    read = [read_rows(str(tmp_path / name)) for name in ("a.jsonl", "a.json", "a.parquet")]
    assert all([dict(row.values) for row in one.rows] == ROWS for one in read)
    assert [one.rows[1].where.rpartition(", ")[2] for one in read] == ["line 3", "row 2", "row 2"]


def test_files_of_the_catalog_are_found_packed_or_not(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "hellaswag_val.jsonl.gz", "wt") as out:
        out.write("{}")
    assert find_file("hellaswag", None, str(tmp_path)) == str(tmp_path / "hellaswag_val.jsonl.gz")
    (tmp_path / "hellaswag_val.jsonl").write_text("{}")
    assert find_file("hellaswag", None, str(tmp_path)) == str(tmp_path / "hellaswag_val.jsonl")
    assert find_file("hellaswag", "named.jsonl", str(tmp_path)) == "named.jsonl"


def test_the_error_of_a_missing_file_names_the_download_command(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^hellaswag needs its rows, and .*hellaswag_val\.jsonl does not exist"
    ) as known:
        find_file("hellaswag", None, str(tmp_path))
    assert known.value.hint.startswith(f"tuppence data get hellaswag --out {tmp_path / 'hellaswag_val.jsonl'};")
    with pytest.raises(InputError, match=r"^judge needs a file of rows$") as other:
        find_file("judge", None, str(tmp_path))
    assert "--task-data judge=FILE" in other.value.hint


def test_the_sha256_is_that_of_the_whole_file_also_with_a_limit(tmp_path: Path) -> None:
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS * 1000).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    first = read_rows(str(tmp_path / "a.jsonl.gz"), limit=1)
    assert [dict(row.values) for row in first.rows] == ROWS[:1]
    assert first.sha256 == sha256_of(first.path) == hashlib.sha256(packed).hexdigest()


def test_bytes_columns_of_parquet_are_decoded(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"text": ["zwölf".encode()], "image": [b"\xff\xd8"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    (row,) = read_rows(str(tmp_path / "a.parquet")).rows
    assert row.values == {"text": "zwölf", "image": b"\xff\xd8"}


def test_damaged_missing_and_empty_parquet_files_have_different_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(InputError, match=r"a\.parquet"):
        read_rows(str(path))
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        read_rows(str(path))
    write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptFileError, match="is not a valid parquet file") as refusal:
        read_rows(str(path))
    assert "\n" not in refusal.value.message


def test_several_files_and_a_very_large_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.parquet", "b.parquet"):
        write_parquet(tmp_path / name)
    with pytest.raises(InputError, match="matches 2 files"):
        read_rows(str(tmp_path / "*.parquet"))
    monkeypatch.setattr(module, "TABLE_LIMIT_BYTES", (tmp_path / "a.parquet").stat().st_size - 1)
    with pytest.raises(InputError, match=r"a\.parquet is larger than"):
        read_rows(str(tmp_path / "a.parquet"))

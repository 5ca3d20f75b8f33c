"""Rows of .jsonl files: the error names a bad row, or the row is skipped and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.reading import documents_of, pieces_of, write

from tuppence.core.errors import InputError
from tuppence.data import jsonl_files, unpacking
from tuppence.data.pieces import ReadReport

BAD_ROWS = {
    '{"title": "no text"}': r"line 3: no key 'text' \(it has title\)",
    '{"text": 7}': "line 3: 'text' is not a string but a number",
    '{"text": null}': "line 3: 'text' is not a string but null",
    '{"text": "half': "line 3: not valid JSON",
    "[1, 2]": "line 3: not a JSON object but a list",
    '{"text": "\\ud800"}': "line 3: 'text' is not valid Unicode",
}


@pytest.mark.parametrize(("row", "complaint"), BAD_ROWS.items())
def test_the_error_names_the_line_of_a_bad_row_and_the_row_can_be_skipped(
    tmp_path: Path, row: str, complaint: str
) -> None:
    path = write(tmp_path / "a.jsonl", f'{{"text": "one"}}\n\n{row}\n{{"text": "two"}}\n')
    with pytest.raises(InputError, match=complaint) as caught:
        pieces_of(path)
    assert "--skip-bad-rows" in caught.value.hint
    report = ReadReport()
    assert documents_of(path, skip=True, report=report) == ["one", "two"]
    assert (report.documents, report.skipped_rows) == (2, 1)


def test_the_error_names_the_line_of_a_row_that_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2: not UTF-8 \(byte 13 of the line\)"):
        pieces_of(write(tmp_path / "a.jsonl", b'{"text": "ok"}\n{"text": "caf\xe9"}\n'))


def test_the_hint_names_a_json_array(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: not valid JSON") as caught:
        pieces_of(write(tmp_path / "a.json", '[\n  {"text": "one"}\n]\n'))
    assert "JSON array" in caught.value.hint


def test_a_row_longer_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl_files, "ROW_LIMIT_BYTES", 2**20)
    with pytest.raises(InputError, match="line 1: longer than 1 MiB"):
        pieces_of(write(tmp_path / "a.jsonl", '{"text": "' + "a" * 3 * 2**20))


def test_a_row_longer_than_the_limit_is_skipped_like_any_bad_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl_files, "ROW_LIMIT_BYTES", 2**20)
    long = '{"text": "' + "a" * 3 * 2**20 + '"}'
    path = write(tmp_path / "a.jsonl", f'{{"text": "one"}}\n{long}\n\n{{"text": "two"}}\n{long}')
    with pytest.raises(InputError, match="line 2: longer than 1 MiB") as caught:
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


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ('{"data": [\n{"text": "one"}\n]}\n', "jq -c '.data[]'"),
        ('{\n "text": "one"\n}\n', "jq -c ."),
        ('{"text": "one"},\n{"text": "two"},\n', "remove the comma"),
    ],
)
def test_the_hint_repairs_json_without_one_row_per_line(tmp_path: Path, content: str, hint: str) -> None:
    with pytest.raises(InputError, match="line 1: not valid JSON") as caught:
        pieces_of(write(tmp_path / "a.json", content))
    assert hint in caught.value.hint


def test_a_key_with_a_dot_reads_nested_objects(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"meta": {"text": "one"}}\n{"meta.text": "two"}\n')
    assert documents_of(path, key="meta.text") == ["one", "two"]
    with pytest.raises(InputError, match=r"line 1: no key 'meta\.body' \(it has meta\)"):
        pieces_of(path, key="meta.body")
    table = pyarrow.table({"meta": [{"text": "one", "n": 1}, {"text": "two", "n": 2}], "n": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet", key="meta.text") == ["one", "two"]
    with pytest.raises(InputError, match=r"no column 'meta\.body'"):
        pieces_of(tmp_path / "a.parquet", key="meta.body")


def test_lines_can_end_with_carriage_returns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "one"}\r\r{"text": "two"}\r{"text": 3}\r')
    with pytest.raises(InputError, match=r"a\.jsonl, line 4: 'text' is not a string"):
        pieces_of(path)
    assert documents_of(path, skip=True) == ["one", "two"]


def test_weights_and_repeated_texts_are_counted_as_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ['"weight": 0', '"weight": 0', '"weight": 1', '"weight": 0.5', '"train": false', '"text": "last"', '"id": 5']
    path = write(tmp_path / "a.jsonl", "".join(f'{{"text": "one", {row}}}\n' for row in rows))
    report = ReadReport()
    assert documents_of(path, report=report) == ["one"] * 5 + ["last", "one"]
    assert report.unused == {
        "weight 0": 2,
        "weight other than 0 and 1": 1,
        "train false": 1,
        'all but the last value of "text"': 1,
    }
    report.warn()
    assert "not used: weight 0 (2 rows), " in " ".join(capsys.readouterr().err.split())
    assert documents_of(write(tmp_path / "b.jsonl", '{"weight": "0"}\n'), key="weight", report=(alone := ReadReport()))
    assert not alone.unused


def test_the_hint_names_a_json_array_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('[{"text": "one"}]\n')
    with pytest.raises(InputError) as refused:
        pieces_of(tmp_path / "a.jsonl")
    assert "looks like a JSON array" in refused.value.hint

"""The content of a file decides its format; errors name the file and the line or row."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data.records import tables
from tuppence.data.records.conversations import read_conversations
from tuppence.data.records.labelled import read_labelled
from tuppence.data.records.preferences import read_preferences
from tuppence.data.records.tables import read_table
from tuppence.data.records.unused import find_unused

Write = Callable[[str, Any], str]

ROWS = [{"label": "ham", "text": "one, two"}, {"label": "spam", "text": 'a "free" prize; now'}]
AS_LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
AS_CSV = 'label,text\nham,"one, two"\nspam,"a ""free"" prize; now"\n'
AS_TSV = 'label\ttext\nham\tone, two\nspam\ta "free" prize; now\n'
CONTENTS = [AS_LINES, json.dumps(ROWS), json.dumps(ROWS, indent=2), AS_CSV, AS_CSV.replace("\n", "\r\n"), AS_TSV]


@pytest.mark.parametrize("content", [*CONTENTS, "\ufeff" + AS_CSV, "\ufeff" + AS_LINES, "\n\n" + AS_LINES])
@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.data"])
def test_the_content_decides_the_format(write: Write, content: str, name: str) -> None:
    table = read_table(write(name, content))
    assert [dict(row.values) for row in table.rows] == ROWS
    assert table.columns == ("label", "text")


@pytest.mark.parametrize("end", ["\r", "\r\n"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", AS_CSV),
        ("a.tsv", AS_TSV),
        ("rows", AS_TSV),
        ("a.jsonl", AS_LINES),
        ("a.json", json.dumps(ROWS, indent=2)),
        ("fast", '__label__ham one, two\n__label__spam a "free" prize; now\n'),
    ],
)
def test_lines_can_end_with_carriage_returns(write: Write, name: str, content: str, end: str) -> None:
    for last in ("", end):
        table = read_table(write(name, content.rstrip("\n").replace("\n", end) + last))
        assert [dict(row.values) for row in table.rows] == ROWS
        if "json" not in name:
            header = "label" in content.splitlines()[0] and name != "fast"
            assert [row.where.rpartition(", ")[2] for row in table.rows] == [f"line {n + header}" for n in (1, 2)]


def test_columns_without_names_are_not_shown_as_counts(write: Write) -> None:
    table = read_table(write("mail", "ham\tsee you\tx\nspam\tWIN\ty\nham\tok\tz\n"))
    assert str(find_unused(table, {"0", "1"})) == "column '2' (3 rows)"


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", json.dumps(ROWS)), ("a.json", AS_LINES)])
def test_json_with_the_wrong_suffix_is_read(write: Write, name: str, content: str) -> None:
    assert [dict(row.values) for row in read_table(write(name, content)).rows] == ROWS


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_files_are_unpacked(write: Write, content: str, pack: Callable[[bytes], bytes]) -> None:
    suffix = ".gz" if pack is gzip.compress else ".zst"
    assert [dict(row.values) for row in read_table(write(f"rows{suffix}", pack(content.encode()))).rows] == ROWS


def test_an_incomplete_packed_file_is_refused(write: Write) -> None:
    path = write("rows.jsonl.gz", gzip.compress(AS_LINES.encode() * 50)[:-20])
    with pytest.raises(CorruptFileError, match=r"rows\.jsonl\.gz ends too early: the \.gz file is incomplete"):
        read_table(path)


BAD = [
    (
        "a.jsonl",
        '{"text": "x"}\n{"text": \n{"text": "y"}\n',
        r"line 2: not valid JSON \(Expecting value at column 10\)",
        2,
    ),
    ("a.jsonl", '{"text": "x"}\n\n[1]\n{"text": "y"}\n', r"line 3: not a JSON object but a list", 2),
    ("a.json", '[{"text": "x"}, null, {"text": "y"}]', r"row 2: not a JSON object but null", 2),
    ("a.csv", "text,label\nx,1\ny,2,3\nz,1\n", r"line 3: 3 columns, where the file has 2", 2),
    ("a.csv", 'text,label\nx,1\n"y"s,2\nz,1\n', r"line 3: not valid CSV", 2),
    ("a.csv", 'text,label\n"x\ny",1\n"a\nb",2,3\nz,1\n', r"line 4: 3 columns", 2),  # the first line of the row
    ("a.txt", "__label__a x\n\n__label__b y\nno label\n", r"line 4: it does not begin with __label__", 2),
    ("a.tsv", "text\tlabel\nx\t1\ny\nz\t1\n", r"line 3: 1 column, where the file has 2", 2),
]


@pytest.mark.parametrize(("name", "content", "message", "left"), BAD)
def test_a_bad_row_is_an_error_or_left_out(write: Write, name: str, content: str, message: str, left: int) -> None:
    path = write(name, content)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path)
    assert caught.value.message.startswith(path)
    assert "--skip-bad-rows" in caught.value.hint
    table = read_table(path, skip_bad_rows=True)
    assert (len(table.rows), table.skipped_rows) == (left, 1)


def test_the_error_names_the_first_line_of_a_row(write: Write) -> None:
    path = write("a.csv", 'text,label\n\n"x\ny",1\n"a\nb"c,2\nz,1\n')
    with pytest.raises(InputError, match=r"a\.csv, line 5: not valid CSV"):
        read_table(path)
    assert [row.where for row in read_table(path, skip_bad_rows=True).rows] == [f"{path}, line 3", f"{path}, line 7"]
    by_columns = write("a.json", '{\n"text": ["x", "y"],\n"label": [1, 2]\n}')
    assert [row.where for row in read_table(by_columns).rows] == [f"{by_columns}, row 1", f"{by_columns}, row 2"]


def test_all_lines_of_an_unclosed_quote_are_counted_as_skipped(write: Write) -> None:
    content = 'text,label\nx,1\n"y,2\n' + "z,1\n" * 10
    table = read_table(write("a.csv", content), skip_bad_rows=True)
    assert (len(table.rows), table.skipped_rows) == (1, 11)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"text,label\n", "holds no row that can be read"),
        ("a.json", b"[]", "holds no row that can be read"),
        ("a.json", b"[{", "a.json is not valid JSON"),
        ("a.json", b'{\n "text": 1}', "line 1: not valid JSON"),
        ("a.txt", b"Just a story.\nOf some lines.\n", "is no table"),
        ("a.csv", "text,label\ncafé,1\n".encode("latin-1"), "is not UTF-8: byte 0xe9 .*line 2"),
        ("a.csv", "text,label\nx,1\n".encode("utf-16"), "is UTF-16"),
        ("a.csv", b"text,label\nx\0,1\n", "is binary"),
        ("a.csv", b"PAR1\0\0", "is a parquet file"),
        ("a.jsonl", b"[" * 100_000, "is not valid JSON"),
    ],
)
def test_files_without_a_table_are_refused(write: Write, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(write(name, content))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path, complaint in ((tmp_path / "none.csv", "there is no such file"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=complaint):
            read_table(str(path))


def test_rows_on_stdin_are_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match="rows cannot be read from stdin") as caught:
        read_table("-")
    assert caught.value.hint == "write them to a file, and name the file"


def test_a_file_that_unpacks_to_too_much_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "TABLE_LIMIT_CHARACTERS", 10_000)
    path = write("a.jsonl.gz", gzip.compress(AS_LINES.encode() * 1000))
    with pytest.raises(InputError, match="more than 0 million characters"):
        read_table(path)


def test_a_lone_surrogate_in_json_is_refused(write: Write) -> None:
    row = read_table(write("a.jsonl", '{"text": "\\ud800"}\n')).rows[0]
    with pytest.raises(InputError, match="line 1: 'text' is not valid Unicode"):
        row.text("text")


KEYS = st.sampled_from(
    "text label instruction output messages role content conversations from value prompt chosen rejected".split()  # noqa: SIM905
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=8,
)


@pytest.mark.parametrize("read", [read_labelled, read_conversations, read_preferences])
@given(rows=st.lists(JSON, min_size=1, max_size=3), skip=st.booleans())
def test_json_of_any_shape_is_read_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, read: Callable[..., Any], rows: list[Any], skip: bool
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with contextlib.suppress(InputError):
        read(path, skip_bad_rows=skip)


@given(text=st.text(alphabet='ab",;\t\n\r{}[]é', max_size=60), name=st.sampled_from(["rows", "rows.csv", "rows.tsv"]))
def test_any_text_is_read_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    path = tmp_path_factory.mktemp("rows") / name
    path.write_bytes(text.encode())
    with contextlib.suppress(InputError):
        table = read_table(str(path), skip_bad_rows=True)
        assert len(table.rows) + table.skipped_rows <= text.count("\n") + text.count("\r") + 1 or text.startswith("[")


@pytest.mark.parametrize("name", ["mail", "mail.txt"])
def test_a_text_can_begin_with_a_bracket(write: Write, name: str) -> None:
    table = read_table(write(name, "[URGENT] call now\tspam\n{name}, hello\tham\nsee you\tham\n"))
    assert [row.values["0"] for row in table.rows] == ["[URGENT] call now", "{name}, hello", "see you"]

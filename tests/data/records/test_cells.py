"""Rows are cut into cells as Python's csv module writes them; delimiter, quotes and line ends are recognised."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.data.records.cells import RawRow
from tuppence.data.records.columns import read_columns

CELL = st.text(alphabet="ab \",;'\t\n|é", min_size=1, max_size=12).filter(lambda text: text.strip() == text)


def cells(path: str, text: str) -> list[list[str]]:
    """The cells of a file's rows; fails if a row cannot be read."""
    found = []
    for row in read_columns(path, text).rows:
        assert isinstance(row.cells, list), row
        found.append(row.cells)
    return found


def written(rows: list[list[str]], **options: object) -> str:
    out = io.StringIO()
    csv.writer(out, **options).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue()


@given(rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8), delimiter=st.sampled_from(",;|"))
def test_rows_written_by_the_csv_module_are_read_back(rows: list[list[str]], delimiter: str) -> None:
    text = written([["text", "label"], *rows], delimiter=delimiter, quoting=csv.QUOTE_ALL)
    assert cells("rows.csv", text) == rows


def test_quotes_in_tab_separated_text_are_plain_characters() -> None:
    assert cells("sms", 'ham\t"Gimme a few" was 5 minutes ago\nspam\tWIN "NOW\nham\tok\n') == [
        ["ham", '"Gimme a few" was 5 minutes ago'],
        ["spam", 'WIN "NOW'],
        ["ham", "ok"],
    ]


def test_tab_separated_text_that_is_quoted_is_unquoted() -> None:
    rows = [["ham", 'he said "so"\n\tand left'], ["spam", '"quoted"'], ["ham", "plain"]]
    assert cells("a.tsv", written(rows, delimiter="\t")) == rows


def test_quotes_are_found_in_the_beginning_of_a_large_file() -> None:
    rows = [["ham", f'line {row}\n"and" another, {"long " * 200}'.strip()] for row in range(2000)]
    text = written(rows, delimiter="\t")
    assert len(text) > 2**20
    assert cells("a.tsv", text) == rows


@pytest.mark.parametrize(
    ("path", "content", "first"),
    [
        ("rows.csv", "one, two; three\nfour, five; six\n", ["one", " two; three"]),
        ("rows.csv", "1,5;2,5\n3,5;4\n6;7\n8;9\n", ["1,5", "2,5"]),  # decimal commas
        ("rows.csv", "ham\tsee you\nspam\twin\n", ["ham", "see you"]),
        ("rows.tsv", "ham\tone, two\nspam\ta\tb, c\nham\tok, yes\n", ["ham", "one, two"]),
        ("rows.CSV.gz", "ham, one\ttwo\nspam, three\tfour\n", ["ham", " one\ttwo"]),
        ("rows", "ham\tone; two\nspam\tthree; four\n", ["ham", "one; two"]),
        ("rows.csv", "ham|one, two\nspam|three\nham|four\n", ["ham", "one, two"]),
        ("rows", 'ham|"one | two"\nspam|three\n', ["ham", "one | two"]),
        ("rows.tsv", "ham,one\nspam,two\nham,three\n", ["ham", "one"]),
        ("rows.csv", "ham,one | x\nspam,two | y, z\nham,three | x\n", ["ham", "one | x"]),
        ("rows.csv", 'ham,one\rspam,"two\nlines"\rham,three\r', ["ham", "one"]),  # Excel on old Macintosh
    ],
)
def test_the_delimiter_gives_most_lines_the_same_number_of_cells(path: str, content: str, first: list[str]) -> None:
    assert cells(path, content)[0] == first


def test_rows_have_line_numbers_and_blank_lines_are_left_out() -> None:
    first, bad, last = read_columns("a.csv", 'text,label\n\n"two\nlines",1\n\n"a"b,2\nlast,3').rows
    assert first == RawRow(3, 4, ["two\nlines", "1"])
    assert isinstance(bad.cells, csv.Error)
    assert (bad.first, bad.last) == (6, 6)
    assert last == RawRow(7, 7, ["last", "3"])


def test_lines_end_at_line_feeds_only() -> None:
    assert cells("a.csv", "text,label\nx\u2028y\x0b,1\n") == [["x\u2028y\x0b", "1"]]
    assert cells("sms", "ham\tx\u2028y\r\nham\tz\r\n") == [["ham", "x\u2028y"], ["ham", "z"]]


@pytest.mark.parametrize(
    ("path", "text", "message", "hint"),
    [
        ("story", "Just one column\nof text\n", r"^story is no table", ".json, .jsonl, .csv or .tsv"),
        (
            "a.jsonl",
            "Just one column\nof text\n",
            r"^a\.jsonl is not JSON: it begins with 'Just",
            "one JSON object per line",
        ),
        ("story.tsv", "Just one column\nof text\n", r"^story\.tsv is no table: no tab", "for example sep=:"),
        ("a.csv", "text:label\none:ham\n", r"^a\.csv is no table: no tab, comma, semicolon or \| cuts", "sep=:"),
        ("a.tsv", "one,ham|x\ntwo,spam|y\n", r"^a\.tsv is no table", "sep=:"),
        ("a.csv", 'text\n"one\ntwo\n', r"^a\.csv, line 2: not valid CSV: a quote that is never closed", '""quoted""'),
        (
            "a.csv",
            "one,ham\rtwo\nthree,spam,x\ry\n",
            r"line 1: not valid CSV: a carriage return",
            r"tr '\r' '\n' < a.csv",
        ),
        ("a", "| text | label |\n|------|-------|\n| one | ham |\n", "^a is no table", ".csv"),  # Markdown
    ],
)
def test_a_file_without_columns_is_refused_with_a_repair(path: str, text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        read_columns(path, text)
    assert hint in refusal.value.hint
    if "sep=" in hint:
        first = next(read_columns(path, "sep=:\n" + text.replace(",", ":")).rows).cells
        assert isinstance(first, list)


def test_a_cell_can_be_longer_than_the_default_limit_of_csv() -> None:
    long = "x" * 200_000
    assert cells("long.csv", f'text,label\n"{long}",a\nshort,b\n')[0] == [long, "a"]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_excels_line_with_the_delimiter_is_not_a_row(line: str) -> None:
    found = read_columns("mail.csv", f"{line}\ntext;label\nsee you, at noon;ham\nWIN;spam\n")
    assert found.names == ["text", "label"]
    first = next(found.rows)
    assert (first.first, first.cells) == (3, ["see you, at noon", "ham"])  # lines keep their numbers


@pytest.mark.parametrize("rows", ["\n", '"a"b;c\n'])
def test_a_delimiter_line_without_a_readable_row_is_refused(rows: str) -> None:
    with pytest.raises(InputError, match="holds no row that can be read"):
        read_columns("mail.csv", "sep=;\n" + rows)

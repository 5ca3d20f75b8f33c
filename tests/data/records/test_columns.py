"""Columns are read as Python's csv module writes them; delimiter, quotes and header are recognised."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.data.records.columns import RawRow, read_columns

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


@given(rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8), delimiter=st.sampled_from(",;"))
def test_rows_that_pythons_csv_wrote_are_read_back(rows: list[list[str]], delimiter: str) -> None:
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


def test_the_quotes_of_a_large_file_are_found_in_its_beginning() -> None:
    rows = [["ham", f'line {row}\n"and" another, {"long " * 200}'.strip()] for row in range(2000)]
    text = written(rows, delimiter="\t")
    assert len(text) > 2**20
    assert cells("a.tsv", text) == rows


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("ham\tsee you\nspam\twin\nham\tok\n", ["0", "1"]),
        ("Category,Message\nham,see you\n", ["Category", "Message"]),
        ("v1,v2,,,\nham,see you,,,\nspam,win,,,\n", ["v1", "v2", "2", "3", "4"]),
        ("yes,no way\nno,yes please\nyes,ok\n", ["0", "1"]),
        ("label\tclass of 92\nlabel\tanother\n", ["0", "1"]),
        ("a;b\n1;2\n", ["a", "b"]),
        ("type,message\nsport,a goal\ntype,a font\n", ["type", "message"]),
        ("text,label\ntext,a\nother,b\n", ["text", "label"]),
        ("instruction,input,output\nName it.,,output\n", ["instruction", "input", "output"]),
        ("Message Body,Is Spam\n" + "see you,no\nwin now,yes\n" * 3, ["Message Body", "Is Spam"]),
        ("Текст сообщения,Класс\n" + "привет,да\nпока,нет\n" * 3, ["Текст сообщения", "Класс"]),
        ("text,label\na,b\nc,b\ntext,label\nd,b\n", ["text", "label"]),  # two files, one after the other
        ("content,nice page here\nlayout,bad fonts\ncontent,more please\nlayout,ok\n", ["0", "1"]),
        ("taxi,taxi\nhello,hallo\nbye,tschau\n", ["0", "1"]),
        ("hello,greeting\n", ["0", "1"]),
        ("1,see you\n0,win\n1,ok\n", ["0", "1"]),
        (" TEXT , is_spam\nsee you,1\nwin,0\n", ["TEXT", "is_spam"]),
        ("Nice film,good\nDull film,bad\nLong film,bad\n", ["0", "1"]),
        ("It was okay and nothing special,so so\n" + "Loved it,good\nAwful,bad\n" * 3, ["0", "1"]),
        ("Nice film,so so\n" + "".join(f"Film {n},kind {n % 5}\n" for n in range(9)), ["0", "1"]),
    ],
)
def test_a_header_is_recognised(content: str, names: list[str]) -> None:
    columns = read_columns("rows", content)
    assert columns.names == names
    assert len(list(columns.rows)) == content.count("\n") - (names[0] != "0")


@pytest.mark.parametrize(
    ("path", "content", "first"),
    [
        ("rows.csv", "one, two; three\nfour, five; six\n", ["one", " two; three"]),
        ("rows.csv", "1,5;2,5\n3,5;4\n6;7\n8;9\n", ["1,5", "2,5"]),  # decimal commas
        ("rows.csv", "ham\tsee you\nspam\twin\n", ["ham", "see you"]),
        ("rows.tsv", "ham\tone, two\nspam\ta\tb, c\nham\tok, yes\n", ["ham", "one, two"]),
        ("rows.CSV.gz", "ham, one\ttwo\nspam, three\tfour\n", ["ham", " one\ttwo"]),
        ("rows", "ham\tone; two\nspam\tthree; four\n", ["ham", "one; two"]),
    ],
)
def test_the_delimiter_is_the_one_that_cuts_most_lines_alike(path: str, content: str, first: list[str]) -> None:
    assert cells(path, content)[0] == first


def test_each_row_has_its_lines_in_the_file_and_blank_lines_are_no_rows() -> None:
    first, bad, last = read_columns("a.csv", 'text,label\n\n"two\nlines",1\n\n"a"b,2\nlast,3').rows
    assert first == RawRow(3, 4, ["two\nlines", "1"])
    assert isinstance(bad.cells, csv.Error)
    assert (bad.first, bad.last) == (6, 6)
    assert last == RawRow(7, 7, ["last", "3"])


def test_lines_end_at_line_feeds_only() -> None:
    assert cells("a.csv", "text,label\nx\u2028y\x0b,1\n") == [["x\u2028y\x0b", "1"]]
    assert cells("sms", "ham\tx\u2028y\r\nham\tz\r\n") == [["ham", "x\u2028y"], ["ham", "z"]]


def test_a_file_without_columns_is_refused() -> None:
    for path, message in (("story.tsv", r"^story\.tsv is no table"), ("story", "^story is no table")):
        with pytest.raises(InputError, match=message) as refusal:
            read_columns(path, "Just one column\nof text\n")
        assert ".json, .jsonl, .csv or .tsv" in refusal.value.hint


def test_a_first_line_with_a_column_that_was_asked_for_is_the_header() -> None:
    text = "Class Index,Title,Description\n3,Oil rises,Prices rose again\n1,Vote,Votes are counted\n"
    assert read_columns("news.csv", text).names == ["0", "1", "2"]
    found = read_columns("news.csv", text, named=["Description", "Class Index"])
    assert found.names == ["Class Index", "Title", "Description"]
    assert next(found.rows).cells == ["3", "Oil rises", "Prices rose again"]
    assert read_columns("news.csv", text, named=["Description", "1"]).names == found.names
    assert read_columns("news.csv", text, named=["Other", "1"]).names == ["0", "1", "2"]


def test_a_cell_can_be_longer_than_csvs_default_limit() -> None:
    long = "x" * 200_000
    assert cells("long.csv", f'text,label\n"{long}",a\nshort,b\n')[0] == [long, "a"]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_excels_line_with_the_delimiter_is_no_row(line: str) -> None:
    found = read_columns("mail.csv", f"{line}\ntext;label\nsee you, at noon;ham\nWIN;spam\n")
    assert found.names == ["text", "label"]
    first = next(found.rows)
    assert (first.first, first.cells) == (3, ["see you, at noon", "ham"])  # lines keep their numbers


@pytest.mark.parametrize("rows", ["\n", '"a"b;c\n'])
def test_a_delimiter_line_without_a_readable_row_is_refused(rows: str) -> None:
    with pytest.raises(InputError, match="holds no row that can be read"):
        read_columns("mail.csv", "sep=;\n" + rows)

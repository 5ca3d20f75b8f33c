"""The names of columns come from the first line, if that is a header."""

from __future__ import annotations

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.columns import read_columns


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


def test_a_csv_file_of_one_column_with_a_name_is_read() -> None:
    for text in ('text\n"one, two"\nthree\n', 'text\r"one, two"\rthree'):
        found = read_columns("a.csv", text)
        assert (found.names, [row.cells for row in found.rows]) == (["text"], [["one, two"], ["three"]])
    found = read_columns("a.csv", "Notes\none\ntwo\n", named=["Notes"])
    assert (found.names, [row.cells for row in found.rows]) == (["Notes"], [["one"], ["two"]])
    with pytest.raises(InputError, match="is no table"):
        read_columns("a", "text\none\ntwo\n")


def test_a_first_line_with_a_requested_column_is_the_header() -> None:
    text = "Class Index,Title,Description\n3,Oil rises,Prices rose again\n1,Vote,Votes are counted\n"
    assert read_columns("news.csv", text).names == ["0", "1", "2"]
    found = read_columns("news.csv", text, named=["Description", "Class Index"])
    assert found.names == ["Class Index", "Title", "Description"]
    assert next(found.rows).cells == ["3", "Oil rises", "Prices rose again"]
    assert read_columns("news.csv", text, named=["Description", "1"]).names == found.names
    assert read_columns("news.csv", text, named=["Other", "1"]).names == ["0", "1", "2"]


def test_columns_without_a_name_of_their_own_have_a_title() -> None:
    found = read_columns("a.csv", "2,text,,text,text\nx,one,y,two,three\n")
    assert found.names == ["2", "text", "#2", "3", "4"]
    assert list(found.titles.values()) == ["3rd column (no name)", '2nd column named "text"', '3rd column named "text"']
    assert read_columns("a", "ham\tsee you\nspam\tWIN\nham\tok\n").titles == {}

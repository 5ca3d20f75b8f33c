"""Labelled texts are read from tables; columns and labels are found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.labelled import LabelledText, find_label, read_labelled

Write = Callable[[str, Any], str]


def test_all_rows_of_the_sms_collection_are_read(shared_data: Path) -> None:
    found = read_labelled(str(shared_data / "spam" / "SMSSpamCollection"))
    assert Counter(row.label for row in found.rows) == {"ham": 4827, "spam": 747}
    assert (found.text_column, found.label_column, found.skipped_rows) == ("1", "0", 0)
    assert sum(row.text.count('"') for row in found.rows) > 100  # quotes are plain characters there


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": "a b", "label": "x"}, {"text": "c", "label": "y"}],
        [{"Message": "a b", "Category": "x"}, {"Message": "c", "Category": "y"}],
        [{"id": 1, "sentence": "a b", "class": "x"}, {"id": 2, "sentence": "c", "class": "y"}],
        [{"label": "x", "anything": "a b"}, {"label": "y", "anything": "c"}],
        [{"text": "a b", "kind": "x"}, {"text": "c", "kind": "y"}],
    ],
)
def test_columns_are_found_by_their_names(write: Write, rows: list[dict[str, Any]]) -> None:
    assert read_labelled(write("rows.jsonl", rows)).rows == [LabelledText("a b", "x"), LabelledText("c", "y")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_columns_without_names_are_found_by_their_content(write: Write, order: tuple[int, int]) -> None:
    rows = [("x", "one"), ("y", "two"), ("x", "three")]
    lines = "".join("\t".join(row[place] for place in order) + "\n" for row in rows)
    assert read_labelled(write("rows", lines)).rows == [LabelledText(text, label) for label, text in rows]


def test_columns_can_be_given_by_name_or_number(write: Write) -> None:
    path = write("rows.csv", "a,b,c\nx,1,one two\ny,2,three\n")
    for text, label in (("c", "a"), ("2", "0"), ("c", "0")):
        found = read_labelled(path, text_column=text, label_column=label)
        assert found.rows[0] == LabelledText("one two", "x")
    assert read_labelled(path, text_column="c", label_column="b").labels == ("1", "2")


def test_labels_are_sorted_by_value_or_alphabet(write: Write) -> None:
    path = write("rows.jsonl", [{"text": "t", "label": label} for label in (10, 9, 2, 10)])
    assert read_labelled(path).labels == ("2", "9", "10")
    path = write("rows.jsonl", [{"text": "t", "label": label} for label in (True, False)])
    assert read_labelled(path).labels == ("false", "true")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": " ", "label": "x"}, "line 2: the text is empty"),
        ({"text": "a", "label": ""}, "line 2: it has no label in 'label'"),
        ({"text": "a", "label": None}, "line 2: it has no label in 'label'"),
        ({"text": "a"}, "line 2: it has no label in 'label'"),
        ({"text": "a", "label": ["x"]}, "line 2: 'label' is not a string but a list"),
        ({"text": 5, "label": "x"}, "line 2: 'text' is not a string but a number"),
        ({"label": "x"}, "line 2: no 'text'"),
    ],
)
def test_a_bad_row_is_an_error_or_left_out(write: Write, row: dict[str, Any], message: str) -> None:
    path = write("rows.jsonl", [{"text": "a", "label": "x"}, row, {"text": "b", "label": "y"}])
    with pytest.raises(InputError, match=message):
        read_labelled(path)
    found = read_labelled(path, skip_bad_rows=True)
    assert (len(found.rows), found.skipped_rows) == (2, 1)


def test_the_error_for_a_file_of_bad_rows_has_the_first_reason(write: Write) -> None:
    path = write("rows.jsonl", [{"text": "", "label": "x"}] * 3)
    with pytest.raises(InputError, match=r"no row of .* can be used; the first: .*line 1: the text is empty"):
        read_labelled(path, skip_bad_rows=True)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a,b,c\nx,1,one\ny,2,two\n", {}, "which column is the text"),
        ("a,text,c\nx,1,one\ny,2,two\n", {}, "which column is the label"),
        ("a,b\nx,1\ny,2\n", {}, "which of its two columns is the label"),
        ("text,label\nx,1\n", {"text_column": "body"}, "has no column 'body'"),
        ("text,label\nx,1\n", {"label_column": "2"}, "has no column '2'"),
        ("text,label\nx,1\n", {"label_column": "text", "text_column": "text"}, "which column is the label"),
    ],
)
def test_the_error_for_unclear_columns_asks_for_their_names(
    write: Write, content: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_labelled(write("rows.csv", content), **options)
    assert "--text-column" in caught.value.hint


def test_a_label_column_with_too_many_values_is_refused(write: Write) -> None:
    path = write("rows.jsonl", [{"text": "t", "label": f"sentence {row}"} for row in range(1001)])
    with pytest.raises(InputError, match="'label' has 1,001 different values, more than 1,000"):
        read_labelled(path)


def test_1_and_1_0_are_one_label_and_nan_is_none(write: Write) -> None:
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 1.0}, {"text": "c", "label": 2.5}]
    assert [row.label for row in read_labelled(write("rows.jsonl", rows)).rows] == ["1", "1", "2.5"]
    with pytest.raises(InputError, match="line 4: it has no label"):
        read_labelled(write("nan.jsonl", [*rows, {"text": "d", "label": float("nan")}]))


def test_requested_columns_identify_a_header_without_usual_names(write: Write) -> None:
    path = write("news.csv", "Class Index,Title,Description\n3,Oil rises,Prices rose\n1,Vote,Votes counted\n")
    found = read_labelled(path, text_column="Description", label_column="Class Index")
    assert [(row.text, row.label) for row in found.rows] == [("Prices rose", "3"), ("Votes counted", "1")]


def test_spellings_of_one_label_by_several_programs_are_equal(write: Write) -> None:
    rows = [{"text": "a", "label": True}, {"text": "b", "label": "True"}, {"text": "c", "label": "FALSE"}]
    assert read_labelled(write("rows.jsonl", rows)).labels == ("false", "true")
    assert read_labelled(write("rows.csv", "text,label\na,1\nb,1.0\nc,2.00\nd,2\n")).labels == ("1", "2")


def test_a_label_is_found_in_another_spelling() -> None:
    assert find_label("true", ["False", "True"]) == 1  # a run of an earlier version, without canonical spellings
    assert find_label("ham", ["Ham", "spam"]) is None
    assert find_label("1", ["1", "1.0"]) == 0


def test_unused_columns_are_reported(write: Write) -> None:
    path = write("rows.csv", "subject,body,queue,category\nhelp,it is broken,it,a\nhi,it works,,b\n")
    found = read_labelled(path)
    assert (found.text_column, found.label_column) == ("body", "category")
    assert str(found.unused) == "subject (2 rows), queue (1 row)"


def test_fasttext_lines_are_read(write: Write) -> None:
    found = read_labelled(write("rows.txt", "__label__ham see you, at noon\n__label__spam WIN, now\n"))
    assert found.rows == [LabelledText("see you, at noon", "ham"), LabelledText("WIN, now", "spam")]
    two = write("two.txt", "__label__a x\n__label__a __label__b y\n")
    with pytest.raises(InputError, match="line 2: it has several labels"):
        read_labelled(two)
    assert len(read_labelled(two, skip_bad_rows=True).rows) == 1


@pytest.mark.parametrize("cells", [["a", "b"], {"0": "a", "1": "b"}])
def test_json_with_a_list_for_each_column_is_read(write: Write, cells: Any) -> None:
    labels = ["x", "y"] if isinstance(cells, list) else {"0": "x", "1": "y"}
    path = write("rows.json", json.dumps({"text": cells, "label": labels}))
    assert read_labelled(path).rows == [LabelledText("a", "x"), LabelledText("b", "y")]

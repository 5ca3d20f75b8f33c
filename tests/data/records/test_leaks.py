"""Evaluation rows in the training data are counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.data.records.conversations import Conversation
from tuppence.data.records.labelled import LabelledText
from tuppence.data.records.leaks import (
    Leak,
    content_of,
    count_rows_in_corpus,
    count_shared,
    find_in_corpus,
    lessons_of,
    opening_of,
    prompt_of,
)
from tuppence.data.records.preferences import Preference
from tuppence.data.records.tables import read_table
from tuppence.tokenizer.chat_template import Message

ROW = "It was the best of times, it was the worst of times, it was the age of wisdom"


def test_the_comparison_ignores_white_space_and_case() -> None:
    leak = count_shared(["Name a\nfruit. ", "Add."], ["NAME A FRUIT.", "Name a fruit", "add."])
    assert leak == Leak(count=2, compared=3, examples=("NAME A FRUIT.", "add."))


def test_a_leak_has_at_most_three_examples() -> None:
    texts = [str(row) for row in range(10)]
    assert count_shared(texts, texts) == Leak(10, 10, ("0", "1", "2"))


@pytest.mark.parametrize(
    "corpus",
    [
        [ROW],
        ["Before. " + ROW + "; it was the age of foolishness"],
        [ROW.upper().replace(" ", "\n").replace(",", " -")],
        ["x y " + ROW[:33], ROW[33:] + " z"],
        [part + " " for part in ROW.split()],
    ],
)
def test_a_row_is_found_at_any_position(corpus: list[str]) -> None:
    assert find_in_corpus(corpus, ["Another row that nobody ever wrote anywhere, as far as we know", ROW]) == ([1], 2)


@pytest.mark.parametrize("corpus", [[], [ROW.replace("worst", "best")], [ROW[:60]], ["x" + ROW + "y"]])
def test_a_row_outside_the_corpus_is_not_found(corpus: list[str]) -> None:
    assert find_in_corpus(corpus, [ROW]) == ([], 1)


def test_short_rows_are_not_searched() -> None:
    assert find_in_corpus(["See you at noon."], ["See you at noon."]) == ([], 0)


WORDS = st.lists(st.sampled_from(["time", "times", "wisdom", "age", "of"]), min_size=11, max_size=20)


@given(
    corpus=st.lists(st.lists(st.sampled_from(["time", "times", "wisdom", "age", "of"]), max_size=30), max_size=4),
    rows=st.lists(WORDS, max_size=4),
    inside=st.booleans(),
)
def test_the_result_equals_that_of_a_plain_search(corpus: list[list[str]], rows: list[list[str]], inside: bool) -> None:
    if inside and rows and corpus:
        corpus[-1] = corpus[-1] + rows[0]
    whole = " ".join(word for block in corpus for word in block)
    texts = [" ".join(row) for row in rows]
    expected = [n for n, text in enumerate(texts) if len(text) >= 50 and f" {text} " in f" {whole} "]
    found, _ = find_in_corpus([" ".join(block) for block in corpus], texts)
    assert found == expected


def test_sentences_of_a_novel_are_found_in_it(shared_data: Path) -> None:
    text = (shared_data / "text" / "the-verdict.txt").read_text(encoding="utf-8")
    sentences = [sentence for sentence in text.replace("\n", " ").split(". ") if len(sentence) >= 60]
    blocks = [text[start : start + 4096] for start in range(0, len(text), 4096)]
    found, searched = find_in_corpus(blocks, sentences)
    assert searched == len(sentences) > 80
    assert len(found) >= searched - len(blocks)  # the end of a block can cut a word, and its sentence is not found
    with gzip.open(shared_data / "text" / "english-novels" / "train.txt.gz", "rt", encoding="utf-8") as novels:
        assert find_in_corpus([novels.read(2_000_000)], sentences)[0] == []


def test_every_kind_of_row_has_a_prompt_and_content() -> None:
    asked, answered = Message("user", "2 + 3?"), Message("assistant", "5")
    rows = [
        LabelledText("You won", "spam"),
        Conversation((Message("system", "Add."), asked, answered)),
        Preference((asked,), "5", "6"),
    ]
    assert [prompt_of(row) for row in rows] == ["You won", "Add.\n\n2 + 3?", "2 + 3?"]
    assert [content_of(row) for row in rows] == ["You won\n\nspam", "Add.\n\n2 + 3?\n\n5", "2 + 3?\n\n5"]


def test_a_row_is_counted_if_any_of_its_long_texts_is_in_the_corpus(tmp_path: Path) -> None:
    ending = "and then the whole village came running down to the harbour"
    rows = [
        {"ctx": "Nobody knew what the old clock in the tower was waiting for", "endings": ["short", ending]},
        {"ctx": "A question that is nowhere in the corpus, however long it may be", "endings": ["a", "b"]},
        {"ctx": "short", "endings": []},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_table(str(tmp_path / "rows.jsonl"))
    corpus = ["It was late,", f" {ending.upper()}, shouting. The end."]
    assert count_rows_in_corpus(corpus, table) == Leak(count=1, compared=2, examples=(ending,))
    assert count_rows_in_corpus(["Nothing of the kind."], table).count == 0


def test_dialogues_with_the_same_beginning_have_the_same_opening() -> None:
    turns = [Message(role, text) for role, text in (("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"))]  # type: ignore[arg-type]
    short, long = Conversation(tuple(turns[:2])), Conversation((*turns, Message("assistant", "Farewell")))
    assert opening_of(short) == opening_of(long) == opening_of(Preference(tuple(turns), "a", "b")) == "Hi"
    assert [content_of(one) for one in lessons_of(long)] == [content_of(short), content_of(long)]
    assert opening_of(LabelledText("Hi", "x")) == "Hi"

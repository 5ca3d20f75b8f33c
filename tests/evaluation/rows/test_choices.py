"""The parts of a row of questions: its texts, the right answer, and the prompt around the question."""

from __future__ import annotations

from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.choices import Choice, gold_of, labelled_choices, question_prompt, texts_of


def row(**values: Any) -> Row:
    return Row("rows.jsonl, line 7", values)


@pytest.mark.parametrize(("written", "index"), [(2, 2), ("2", 2), (" 0 ", 0), ("C", 2), (" A ", 0)])
def test_right_answer_is_a_number_its_digits_or_a_letter(written: object, index: int) -> None:
    assert gold_of(row(answer=written), "gold", "answer") == index


def test_the_first_key_that_the_row_has_is_read() -> None:
    assert gold_of(row(answer=1, label=2), "gold", "label", "answer") == 2


@pytest.mark.parametrize(("written", "shown"), [(True, "True"), ("c", "'c'"), ("AB", "'AB'"), (1.0, "1.0"), ("", "''")])
def test_any_other_right_answer_is_refused(written: object, shown: str) -> None:
    with pytest.raises(InputError) as refusal:
        gold_of(row(gold=written), "gold")
    assert refusal.value.message == (
        f"rows.jsonl, line 7: no right answer: 'gold' is {shown}, neither a number from 0 nor a letter"
    )


def test_texts_must_be_a_list_of_strings() -> None:
    assert texts_of(row(choices=["a", "b"]), "choices") == ["a", "b"]
    for values in ({"choices": "ab"}, {"choices": ["a", 1]}, {}):
        with pytest.raises(InputError, match="line 7: 'choices' is not a list of strings"):
            texts_of(row(**values), "choices")


def test_answer_key_is_looked_up_among_the_labels() -> None:
    choices = {"label": ["1", "B", "x"], "text": ["sand", "rain", "iron"]}
    assert labelled_choices(row(choices=choices, answerKey="x")) == (["sand", "rain", "iron"], 2)
    with pytest.raises(InputError, match="answerKey '2' is none of the labels 1, B, x"):
        labelled_choices(row(choices=choices, answerKey="2"))


@pytest.mark.parametrize("question", ["What falls?", "Question: why?"])
def test_question_of_a_choice_is_what_the_prompt_was_made_of(question: str) -> None:
    assert Choice("row 1", question_prompt(question), ("a", "b"), 0).question == question

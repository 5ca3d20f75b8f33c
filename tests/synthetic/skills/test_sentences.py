"""The answers are computed a second time from the sentence of the task."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from tests.synthetic.skills.conftest import drafts

from tuppence.synthetic.skills import Draft, Maker, sentences


def count_words(draft: Draft) -> str:
    return str(draft.input.count(" ") + 1)


def end_of_a_sentence(draft: Draft) -> str:
    words = re.findall(r"[\w-]+", draft.input)
    return words[0 if "first" in draft.instruction else -1]


def replace_word(draft: Draft) -> str:
    names = re.findall(r"\b[A-Z]\w+", draft.instruction)[1:]
    old, new = names if draft.instruction.startswith("Replace") else reversed(names)
    return re.sub(rf"\b{old}\b", new, draft.input)


@pytest.mark.parametrize(
    ("make", "solve"),
    [
        (sentences.count_words, count_words),
        (sentences.end_word, end_of_a_sentence),
        (sentences.replace_word, replace_word),
    ],
    ids=lambda function: function.__name__,
)
def test_the_answer_follows_from_the_task(make: Maker, solve: Callable[[Draft], str]) -> None:
    for draft in drafts(make):
        assert solve(draft) == draft.output, draft


def test_an_extracted_answer_is_a_part_of_the_sentence() -> None:
    for draft in drafts(sentences.extract):
        assert draft.output in draft.input, draft
        if "day" in draft.instruction.lower().split(" on ")[0] and "What" not in draft.instruction:
            assert draft.output in {f"{date(2024, 1, 1) + timedelta(days=day):%A}" for day in range(7)}


def test_the_answer_is_yes_only_if_every_detail_is_in_the_sentence() -> None:
    for draft in drafts(sentences.is_it_true):
        details = draft.instruction.partition("id ")[2].lower().strip("?").split()
        told = re.findall(r"[\w'-]+", draft.input.lower())
        details.pop(1)  # the verb, which is in another form
        assert set(details) <= set(told) or draft.output == "No", draft
        assert not set(details) <= set(told) or draft.output == "Yes", draft


def test_a_question_with_the_answer_no_differs_in_one_detail() -> None:
    for draft in drafts(sentences.is_it_true):
        who, _verb, rest, when = re.search(r"id (\S+) (\S+) (.*) on (\S+)\?", draft.instruction).groups()  # type: ignore[union-attr]
        told = re.findall(r"[\w-]+", draft.input)
        wrong = [who not in told, when not in told, rest not in draft.input]
        assert sum(wrong) == (draft.output == "No"), draft


def test_a_statement_and_its_question_have_the_same_words() -> None:
    for draft in drafts(sentences.question):
        assert sorted(re.findall(r"[\w-]+", draft.input.lower())) == sorted(re.findall(r"[\w-]+", draft.output.lower()))
        assert draft.output.endswith("?")
    for draft in drafts(sentences.statement):
        assert draft.output.endswith(".")
        assert draft.input.split(maxsplit=2)[2].split()[-1].strip("?") in draft.output


def test_a_negation_has_the_word_not_more() -> None:
    for draft in drafts(sentences.negation):
        assert draft.output.replace(" not ", " ", 1) == draft.input


def test_only_the_verb_changes_in_the_past_tense() -> None:
    for draft in drafts(sentences.past_tense):
        before, after = draft.input.split(), draft.output.split()
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1

"""Requests, with good answers and bad ones."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.requests import FLAWS, REQUESTS, Maker, ending, exercise, question, reason, sentence_with

MAKERS = [maker for maker, _ in REQUESTS]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_no_bad_answer_equals_the_good_one(maker: Maker) -> None:
    for seed in range(200):
        made = maker(Random(seed))
        assert made.prompt
        assert made.wrong
        assert made.good not in (*made.wrong, *made.against)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_request_depends_only_on_the_draws(maker: Maker) -> None:
    assert maker(Random(3)) == maker(Random(3))
    assert len({maker(Random(seed)).prompt for seed in range(50)}) > 25


def test_a_wrong_answer_to_a_question_has_another_detail() -> None:
    for seed in range(100):
        made = question(Random(seed))
        asked = made.prompt.rpartition(". ")[2]
        if asked.startswith("On which day"):
            day = made.good.rstrip(".").rpartition(" ")[2]
            assert day in made.prompt
            assert all(day not in wrong for wrong in made.wrong)


def test_the_right_answer_of_an_exercise_is_in_the_same_sentence_as_the_wrong_one() -> None:
    for seed in range(100):
        made = exercise(Random(seed))
        frame = made.good.split()[:-1]
        assert all(wrong.split()[: len(frame)] == frame for wrong in made.wrong if len(made.good.split()) > 1)


def test_a_reason_is_one_sentence_and_an_answer_against_the_terms_two() -> None:
    for seed in range(50):
        made = reason(Random(seed))
        assert made.good.count(". ") == 0
        assert made.against[0].count(". ") == 1


def test_an_ending_against_the_terms_has_the_other_mood() -> None:
    for seed in range(50):
        made = ending(Random(seed))
        (opposite,) = made.against
        assert opposite.split(", ")[0] == made.good.split(", ")[0]


def test_a_sentence_has_the_word_or_lacks_it_as_asked() -> None:
    for seed in range(100):
        made = sentence_with(Random(seed))
        word = made.prompt.rstrip(".").rpartition(" ")[2]
        wanted = "without" not in made.prompt
        assert (word in made.good.replace(".", "").split()) == wanted
        assert (word in made.against[0].replace(".", "").split()) != wanted


def test_the_flaws_have_frequencies() -> None:
    assert all(count > 0 for count in FLAWS.values())
    assert {"wrong", "against"} <= set(FLAWS)

"""Requests: the good answer keeps to the terms, and every bad one breaks them."""

from __future__ import annotations

import re
from random import Random

import pytest

from tuppence.synthetic import requests
from tuppence.synthetic.requests import REQUESTS, Request
from tuppence.synthetic.tables import table

_GLUE = {"It", "They", "was", "were", "who", "happened", "them", "it", "on"}


def drawn(maker: requests.Maker, count: int = 300) -> list[Request]:
    return [maker(Random(f"{maker.__name__}/{index}")) for index in range(count)]


@pytest.mark.parametrize("maker", [maker for maker, _ in REQUESTS], ids=lambda maker: maker.__name__)
def test_no_bad_answer_is_the_good_one(maker: requests.Maker) -> None:
    for request in drawn(maker):
        assert request.wrong
        assert request.good not in request.wrong + request.against, request


def test_a_good_answer_takes_its_facts_from_the_sentence() -> None:
    for request in drawn(requests.question):
        words = set(re.findall(r"[\w-]+", request.good)) - _GLUE
        assert words <= set(re.findall(r"[\w-]+", request.prompt)), request
        for wrong in request.wrong:
            words = set(re.findall(r"[\w-]+", wrong)) - _GLUE
            assert not words <= set(re.findall(r"[\w-]+", request.prompt)), request


def test_an_answer_to_another_question_does_not_answer_this_one() -> None:
    for request in drawn(requests.question):
        named = re.match(r"(?:It was )?([A-Z]\w+)", request.good)
        if " Who " in request.prompt and named:
            assert not any(named[1] in other for other in request.against if named[1] not in ("It", "They")), request


def test_a_reason_is_one_sentence_with_because_and_its_cause_last() -> None:
    for request in drawn(requests.reason):
        assert request.good.count(".") == 1
        assert " because " in request.good
        cause = request.good.rstrip(".").split(" because ")[1]
        assert cause.lower() in request.prompt.lower()
        reversed_answer, other_cause = request.wrong
        assert reversed_answer.lower().startswith(cause.lower())
        assert cause not in other_cause
        assert request.against[0].count(".") == 2


def test_the_word_is_there_exactly_when_it_was_asked_for() -> None:
    for request in drawn(requests.sentence_with):
        word = re.search(r"the word (\w+)", request.prompt)
        assert word

        def has_it(answer: str, word: str = word[1]) -> bool:
            return re.search(rf"\b{word}\b", answer) is not None

        wanted = "without" not in request.prompt
        assert has_it(request.good) == wanted, request
        assert all(has_it(answer) != wanted for answer in request.against), request


def test_a_beginning_has_the_person_the_place_and_a_sign_of_the_season() -> None:
    for request in drawn(requests.beginning):
        season = re.findall(r"\bin (spring|summer|autumn|winter)\b", request.prompt)[-1]
        assert season in request.good
        assert any(sign in request.good for sign in table(f"season_{season}"))
        assert not any(sign in answer for answer in request.against for sign in table(f"season_{season}"))


def test_every_trouble_end_and_polite_word_has_its_counterpart() -> None:
    for entry in table("request_trouble") + table("request_ending"):
        assert entry.count(" :: ") == 2
    for entry in table("request_polite"):
        assert entry.count(" :: ") == 1
    for entry in table("request_why"):
        assert entry.count(" because ") == 1

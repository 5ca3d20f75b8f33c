"""Articles, verb forms and capitals, on words where rules of thumb go wrong."""

from __future__ import annotations

import doctest

import pytest

from tuppence.synthetic import english
from tuppence.synthetic.english import capitalise, gerund, past, with_article
from tuppence.synthetic.tables import table


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("apple", "an apple"),
        ("hour", "an hour"),
        ("honest man", "an honest man"),
        ("ukulele", "a ukulele"),
        ("useful tool", "a useful tool"),
        ("one-eyed cat", "a one-eyed cat"),
        ("umbrella", "an umbrella"),
        ("unhappy day", "an unhappy day"),
        ("uncle", "an uncle"),
    ],
)
def test_the_article_follows_the_sound_not_the_letter(phrase: str, expected: str) -> None:
    assert with_article(phrase) == expected


@pytest.mark.parametrize(
    ("base", "ed", "ing"),
    [
        ("stop", "stopped", "stopping"),
        ("carry", "carried", "carrying"),
        ("play", "played", "playing"),
        ("bake", "baked", "baking"),
        ("lie", "lay", "lying"),
        ("swim", "swam", "swimming"),
        ("see", "saw", "seeing"),
        ("open", "opened", "opening"),
        ("mend", "mended", "mending"),
        ("write", "wrote", "writing"),
    ],
)
def test_verbs_take_their_past_and_ing_forms(base: str, ed: str, ing: str) -> None:
    assert (past(base), gerund(base)) == (ed, ing)


def test_every_doing_of_the_tables_starts_with_a_verb_that_can_be_put_in_both_forms() -> None:
    for doing in (*table("doing_people"), *table("doing_animal")):
        assert past(doing) != doing or doing.split()[0] == "read"
        assert gerund(doing).split()[0].endswith("ing")


def test_a_question_in_quotes_does_not_end_the_sentence_around_it() -> None:
    assert (
        capitalise('"who is there?" he asked. "a friend." she ^bell')
        == '"Who is there?" he asked. "A friend." She Bell'
    )


def test_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(english).failed == 0

"""When a pronoun is clear: after a name, without a rival of the same gender, not for ever."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.discourse import Discourse
from tuppence.synthetic.people import HE, SHE, Character


def person(name: str, pronouns: object) -> Character:
    return Character(name, "child", pronouns, "kind", "kind")  # type: ignore[arg-type]


MARA, NELL, TOM = person("Mara", SHE), person("Nell", SHE), person("Tom", HE)


@pytest.fixture
def discourse() -> Discourse:
    made = Discourse(Random(0))
    made._uniform = lambda: 0.99  # never a name for variety's sake
    return made


def test_nobody_is_a_pronoun_before_being_named(discourse: Discourse) -> None:
    assert not discourse.pronoun_is_clear(MARA)


def test_somebody_named_in_the_last_sentence_is_a_pronoun_in_this(discourse: Discourse) -> None:
    discourse.mention(MARA)
    discourse.end_sentence()
    assert discourse.pronoun_is_clear(MARA)


def test_somebody_of_the_other_gender_is_no_rival(discourse: Discourse) -> None:
    discourse.mention(MARA)
    discourse.mention(TOM)
    discourse.end_sentence()
    assert discourse.pronoun_is_clear(TOM)
    assert discourse.pronoun_is_clear(MARA)


def test_two_of_one_gender_are_told_apart_by_name(discourse: Discourse) -> None:
    discourse.mention(NELL)
    discourse.mention(MARA)
    discourse.end_sentence()
    assert not discourse.pronoun_is_clear(MARA)


def test_the_subject_of_a_sentence_keeps_its_pronoun_within_it(discourse: Discourse) -> None:
    discourse.mention(MARA)
    discourse.mention(NELL)
    assert discourse.pronoun_is_clear(MARA)
    assert not discourse.pronoun_is_clear(NELL)


def test_somebody_not_mentioned_for_two_sentences_is_named_again(discourse: Discourse) -> None:
    discourse.mention(MARA)
    discourse.end_sentence()
    discourse.mention(TOM)
    discourse.end_sentence()
    assert not discourse.pronoun_is_clear(MARA)


def test_a_name_comes_back_after_a_chain_of_pronouns(discourse: Discourse) -> None:
    discourse.mention(MARA)
    answers = []
    for _ in range(8):
        discourse.end_sentence()
        answers.append(discourse.pronoun_is_clear(MARA))
    assert answers == [True] * 5 + [False] + [True] * 2

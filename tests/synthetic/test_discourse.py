"""A pronoun is used only where it can mean one character."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.discourse import Discourse
from tuppence.synthetic.people import HE, SHE, Character, Pronouns


def character(name: str, pronouns: Pronouns) -> Character:
    return Character(name, "child", pronouns, "kind", "kind")


ADA, EVE, BEN = character("Ada", SHE), character("Eve", SHE), character("Ben", HE)


class Never(Random):
    """Draws that never choose a name where a pronoun is clear."""

    def random(self) -> float:
        return 0.99


@pytest.fixture
def discourse() -> Discourse:
    return Discourse(Never())


def test_a_character_is_named_first_and_a_pronoun_after_that(discourse: Discourse) -> None:
    assert not discourse.pronoun_is_clear(ADA)
    discourse.mention(ADA)
    assert discourse.pronoun_is_clear(ADA)
    discourse.end_sentence()
    assert discourse.pronoun_is_clear(ADA)


@pytest.mark.parametrize(("other", "clear"), [(BEN, True), (EVE, False)])
def test_a_second_character_of_the_same_gender_keeps_its_name(
    discourse: Discourse, other: Character, clear: bool
) -> None:
    discourse.mention(ADA)
    discourse.mention(other)
    assert discourse.pronoun_is_clear(other) is clear
    assert discourse.pronoun_is_clear(ADA)  # the subject of the sentence


def test_only_the_subject_of_the_last_sentence_is_a_pronoun_among_two_of_one_gender(discourse: Discourse) -> None:
    discourse.mention(ADA)
    discourse.mention(EVE)
    discourse.end_sentence()
    assert not discourse.pronoun_is_clear(EVE)
    discourse.end_sentence()
    discourse.mention(ADA)
    discourse.mention(EVE)
    discourse.end_sentence()
    assert discourse.pronoun_is_clear(ADA)


def test_a_character_of_two_sentences_ago_and_one_after_five_pronouns_is_named(discourse: Discourse) -> None:
    discourse.mention(ADA)
    discourse.end_sentence()
    for _ in range(5):
        assert discourse.pronoun_is_clear(ADA)
        discourse.end_sentence()
    assert not discourse.pronoun_is_clear(ADA)
    discourse.end_sentence()
    discourse.mention(BEN)
    discourse.end_sentence()
    assert not discourse.pronoun_is_clear(ADA)

"""The state of one story while it is told."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.people import Character
from tuppence.synthetic.teller import Teller


class Draws(Random):
    """A random source whose uniform numbers are fixed once the teller is made; choices remain random."""

    fixed: float | None = None

    def random(self) -> float:
        return super().random() if self.fixed is None else self.fixed


def teller(fixed: float | None = None, *, animals: bool = False) -> Teller:
    draws = Draws(1)
    made = Teller(draws, animals)
    draws.fixed = fixed
    return made


@pytest.fixture
def t() -> Teller:
    return teller(0.99)


def test_a_slot_keeps_what_it_was_filled_with(t: Teller) -> None:
    t.let(word="stone")
    t("The {word} was heavy, and so was {a word}.")
    assert t.text() == "The stone was heavy, and so was a stone."


def test_an_unknown_slot_is_an_error(t: Teller) -> None:
    with pytest.raises(KeyError, match="treasure"):
        t("The {treasure} was gone.")


def test_a_role_is_filled_on_first_use_and_stays_the_same_character(t: Teller) -> None:
    friend = t.person("friend")
    assert isinstance(friend, Character)
    assert t.person("friend") is friend is not t.hero
    with pytest.raises(TypeError, match="town is not a character"):
        t.person("town")


def test_a_cast_character_has_the_relation_or_the_trade(t: Teller) -> None:
    assert t.cast("friend", relation="cousin").relation == "cousin"
    assert t.cast("elder", trade="baker").trade == "baker"


def test_entries_of_a_table_repeat_only_after_all_were_used(t: Teller) -> None:
    seen = []
    for _ in range(5):
        t.pick(food="food")
        seen.append(t.fill("", "food", "", False))
    assert len(set(seen)) == 5


def test_branches_are_recorded_in_order() -> None:
    t = teller(0.0)
    assert t.turn("found", "lost") == "found"
    t.mark("end")
    assert t.branches == ["found", "end"]
    assert teller(0.99).turn("found", "lost") == "lost"


def test_a_new_speaker_begins_a_paragraph_and_two_who_take_turns_need_no_names() -> None:
    t = teller(0.0)
    t.exchange("hero", "friend", ("come here.", "why?"))
    t.say("hero", "because.")
    first, second, third = t.text().split("\n\n")
    assert '"Come here' in first
    assert t.hero.name in first
    assert second.endswith('"Why?"')
    assert third == '"Because."'


def test_short_sentences_about_one_person_are_joined() -> None:
    def told(fixed: float) -> str:
        t = teller(fixed)
        t.let(who=t.hero)
        t("Ada sat down.")
        t("she was tired.")
        return t.text()

    assert told(0.0) == "Ada sat down, and she was tired."
    assert told(0.99) == "Ada sat down. She was tired."


def test_a_pause_comes_before_some_paragraphs() -> None:
    def paragraphs(fixed: float, **options: bool) -> list[str]:
        t = teller(fixed)
        t("It rained.")
        t.paragraph(**options)
        t("The sun came out.")
        return t.text().split("\n\n")

    assert paragraphs(0.99) == paragraphs(0.0, pause=False) == ["It rained.", "The sun came out."]
    assert len(paragraphs(0.0)[0]) > len("It rained.")


def test_animals_have_paws() -> None:
    told = []
    for animals in (False, True):
        t = teller(animals=animals)
        t("{hands}.")
        told.append(t.text())
    assert told == ["Hands.", "Paws."]

"""The storyteller: introductions, paragraphs, turns of speech."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.teller import Teller
from tuppence.synthetic.world import Thing


@pytest.fixture
def teller() -> Teller:
    return Teller(Random(5), animals=False)


def test_a_friend_is_introduced_once_by_relation(teller: Teller) -> None:
    teller("{hero.name} met {friend.named}.")
    teller("{hero.name} greeted {friend.name}.")
    first, second = teller.text().split(". ")
    friend = teller.person("friend")
    assert f"{friend.relation} {friend.name}" in first
    assert friend.relation not in second


def test_an_adult_is_introduced_by_trade(teller: Teller) -> None:
    teller.cast("elder", trade="weaver")
    teller("{elder} came.")
    assert "the weaver" in teller.text()


def test_a_thing_is_described_once(teller: Teller) -> None:
    teller.let(thing=Thing("small brass key", "metal"))
    teller("There was {a thing}.")
    teller("Then {the thing} was gone.")
    assert teller.text().count("small brass") == 1
    assert "the key" in teller.text()


def test_a_new_speaker_begins_a_new_paragraph(teller: Teller) -> None:
    teller.say("hero", "good morning.")
    teller.say("friend", "good evening.")
    assert teller.text().count("\n\n") == 1


def test_somebody_else_goes_by_name_in_what_is_said(teller: Teller) -> None:
    teller("{hero.name} and {friend.named} sat down.")
    teller.say("hero", "I like {friend}.")
    assert f"I like {teller.person('friend').name}" in teller.text()


def test_a_table_is_used_up_before_an_entry_comes_again(teller: Teller) -> None:
    from tuppence.synthetic.tables import table

    words = [teller.word("trophy", False) for _ in table("trophy")]
    assert sorted(words) == sorted(table("trophy"))


def test_an_unknown_slot_is_a_mistake_of_the_plot(teller: Teller) -> None:
    with pytest.raises(KeyError, match="dragon"):
        teller("Here is {the dragon}.")


def test_the_turn_taken_is_noted(teller: Teller) -> None:
    assert teller.turn("left", "right") == teller.branches[-1]

"""How a text calls its characters and things."""

from __future__ import annotations

import pytest
from tests.synthetic.test_discourse import Never

from tuppence.synthetic.discourse import Discourse
from tuppence.synthetic.naming import Naming
from tuppence.synthetic.people import HE, SHE, Character
from tuppence.synthetic.world import Thing

ADA = Character("Ada", "girl", SHE, "kind", "gentle")
BEN = Character("Ben", "boy", HE, "kind", "gentle", relation="brother")
BAKER = Character("Mr. Holt", "man", HE, "kind", "gentle", trade="baker")
GRANDMOTHER = Character("grandmother", "old woman", SHE, "kind", "gentle", relation="grandmother")


@pytest.fixture
def naming() -> Naming:
    return Naming(Never().random, Discourse(Never()), ADA)


def test_a_character_is_introduced_once_and_a_pronoun_after_that(naming: Naming) -> None:
    assert naming.character(BEN, "", "named", False) == "Ada's brother Ben"
    assert naming.character(BEN, "", "named", False) == "Ben"
    assert naming.character(BEN, "", "", False) == "he"
    assert naming.character(BEN, "", "his", False) == "his"


@pytest.mark.parametrize(
    ("who", "introduction"), [(BAKER, "Mr. Holt the baker"), (GRANDMOTHER, "Ada's grandmother"), (ADA, "Ada")]
)
def test_an_introduction_says_who_a_character_is(naming: Naming, who: Character, introduction: str) -> None:
    assert naming.character(who, "", "", False) == introduction


def test_speakers_use_names(naming: Naming) -> None:
    naming.character(BEN, "", "", False)
    assert naming.character(BEN, "", "", True) == "Ben"
    assert naming.character(BEN, "", "his", True) == "Ben's"
    assert naming.character(GRANDMOTHER, "", "", True) == "Grandmother"


def test_a_tilde_asks_for_a_pronoun(naming: Naming) -> None:
    assert [naming.character(BEN, "~", case, False) for case in ("", "him", "his", "himself")] == [
        *("he", "him", "his", "himself"),
    ]


def test_other_attributes_are_those_of_the_character(naming: Naming) -> None:
    assert naming.character(BAKER, "", "trade", False) == "baker"
    assert naming.character(GRANDMOTHER, "a", "kind", False) == "an old woman"


def test_a_thing_is_described_once(naming: Naming) -> None:
    oar = Thing("old oar")
    assert naming.thing(oar, "a", "") == "an old oar"
    assert naming.thing(oar, "the", "") == "the oar"
    assert naming.thing(Thing("brass key"), "the", "") == "the brass key"
    assert naming.thing(Thing("tin whistle"), "", "noun") == "whistle"

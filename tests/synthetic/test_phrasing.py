from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.phrasing import Phraser

MAKERS = {name: lambda random: random.choice(["Ada", "Ben"]) for name in ("sender", "receiver")}


@pytest.mark.parametrize("seed", range(20))
def test_a_slot_keeps_its_value_and_no_two_slots_share_one(seed: int) -> None:
    phraser = Phraser(Random(seed), MAKERS)
    first, second = phraser.tell("{sender} to {receiver}").split(" to ")
    assert {first, second} == {"Ada", "Ben"}
    assert phraser.tell("From {sender}: hello {receiver}") == f"From {first}: hello {second}"


def test_forms_articles_and_given_values_fill_a_slot() -> None:
    phraser = Phraser(Random(0), {}, {"site": lambda random, bank: bank.lower() + ".example"})
    phraser.let(bank="Acorn")
    assert phraser.tell("See {bank.site}, {a bank} , {the bank} .") == "See acorn.example, an Acorn, the Acorn."


def test_an_unknown_slot_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nobody"):
        Phraser(Random(0), {}).tell("Dear {nobody}")

"""Templates outside stories: slots filled once, never two alike, and no stray spaces."""

from __future__ import annotations

import doctest
from random import Random

import pytest

from tuppence.synthetic import phrasing
from tuppence.synthetic.phrasing import Phraser


def phraser(seed: int) -> Phraser:
    draw = {"name": lambda random: random.choice("AB"), "friend": lambda random: random.choice("AB")}
    return Phraser(Random(seed), draw, {"twice": lambda random, value: value * 2})


def test_a_slot_keeps_its_filling_and_two_slots_never_share_one() -> None:
    for seed in range(50):
        assert phraser(seed).tell("{name}{name.twice}{friend}") in ("AAAB", "BBBA")


def test_what_is_left_out_leaves_no_space_before_a_mark() -> None:
    assert phraser(0).tell("see you [ , now|, now] .") == "see you, now."


def test_a_slot_that_nobody_makes_is_a_defect_of_the_template() -> None:
    with pytest.raises(KeyError):
        phraser(0).tell("{nobody}")


def test_the_examples_hold() -> None:
    assert doctest.testmod(phrasing).attempted > 0
    assert doctest.testmod(phrasing).failed == 0

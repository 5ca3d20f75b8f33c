from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.skills.draft import names, nouns, phrased, several, single_words, thing
from tuppence.synthetic.tables import table

MATERIALS = ("metal", "wood", "cloth", "glass", "paper")


def test_every_way_to_put_it_is_chosen_and_its_slots_are_filled() -> None:
    found = {phrased(Random(seed), "[Say|Write] {what}.", "Is it {what}?", what="a|b") for seed in range(200)}
    assert found == {"Say a|b.", "Write a|b.", "Is it a|b?"}


def test_a_slot_that_nobody_filled_is_a_defect_and_not_a_text() -> None:
    with pytest.raises(KeyError, match="what"):
        phrased(Random(0), "Say {what}.", who="Ann")


def test_what_is_spelled_and_counted_is_single_words_each_of_them_once() -> None:
    for words in (nouns(), single_words()):
        assert all(word.isalpha() and word.islower() for word in words)
        assert list(words) == sorted(set(words))
    assert set(nouns()) < set(single_words())
    assert set(table("kind_colour")) <= set(single_words()) - set(nouns())
    assert all(name.isalpha() and name.istitle() for name in names())


def test_a_thing_has_a_look_of_its_own_material() -> None:
    fitting = {
        f"{look} {noun}"
        for material in MATERIALS
        for look in table(f"look_{material}")
        for noun in table(f"thing_{material}")
    }
    found = {thing(Random(seed)) for seed in range(2_000)}
    assert found <= fitting
    for material in MATERIALS:
        assert any(one.endswith(noun) for one in found for noun in table(f"thing_{material}"))


def test_several_are_different_ones_in_random_order_and_as_many_as_allowed() -> None:
    options = ("a", "b", "c", "d", "e", "f")
    drawn = [several(Random(seed), options, 2, 4) for seed in range(300)]
    assert {len(words) for words in drawn} == {2, 3, 4}
    assert all(len(set(words)) == len(words) for words in drawn)
    assert {words[0] for words in drawn} == set(options)
    assert any(words != sorted(words) for words in drawn)

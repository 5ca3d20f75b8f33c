from __future__ import annotations

from random import Random

from tuppence.synthetic.skills.draft import nouns, phrased, several, single_words, thing


def test_words_of_tasks_are_single_sorted_and_without_duplicates() -> None:
    for words in (nouns(), single_words()):
        assert list(words) == sorted(set(words))
        assert all(word.isalpha() for word in words)
    assert set(nouns()) <= set(single_words())


def test_several_draws_every_allowed_number_of_different_options() -> None:
    drawn = [several(Random(seed), ("a", "b", "c", "d", "e"), 2, 4) for seed in range(100)]
    assert {len(options) for options in drawn} == {2, 3, 4}
    assert all(len(set(options)) == len(options) for options in drawn)


def test_an_instruction_is_one_of_the_alternatives_with_its_slots_filled() -> None:
    told = {phrased(Random(seed), "Spell {word}.", "How is {word} spelled?", word="moon") for seed in range(30)}
    assert told == {"Spell moon.", "How is moon spelled?"}


def test_a_thing_has_a_look_before_its_noun() -> None:
    assert all(len(thing(Random(seed)).split()) >= 2 for seed in range(50))

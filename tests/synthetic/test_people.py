"""The cast: names that cannot be mixed up, kinds that exist once, relations that fit."""

from __future__ import annotations

from random import Random

from tuppence.synthetic.people import HE, SHE, make_elder, make_hero, make_parent, make_peer


def test_no_two_names_of_a_cast_start_with_the_same_letter() -> None:
    for seed in range(300):
        random = Random(seed)
        cast = [make_hero(random, animal=seed % 2 == 0)]
        for make in (make_peer, make_elder, make_peer):
            cast.append(make(random, cast[0], cast))
        assert len({each.name.split()[-1][0] for each in cast}) == len(cast)


def test_no_two_animals_of_a_cast_are_of_one_kind() -> None:
    for seed in range(300):
        random = Random(seed)
        cast = [make_hero(random, animal=True)]
        for make in (make_peer, make_elder, make_peer):
            cast.append(make(random, cast[0], cast))
        assert len({each.kind for each in cast}) == len(cast)


def test_a_friend_is_mostly_but_not_always_of_the_other_gender() -> None:
    other = 0
    for seed in range(400):
        random = Random(seed)
        hero = make_hero(random, animal=False)
        other += make_peer(random, hero, [hero]).pronouns is not hero.pronouns
    assert 0.65 < other / 400 < 0.85


def test_a_grandparent_is_called_what_the_pronoun_says() -> None:
    for seed in range(50):
        random = Random(seed)
        parent = make_parent(random, make_hero(random, animal=False), grand=True)
        assert parent.name == {id(SHE): "grandmother", id(HE): "grandfather"}[id(parent.pronouns)]

"""The characters of a story can be told apart."""

from __future__ import annotations

from random import Random

import pytest

from tuppence.synthetic.people import HE, SHE, Character, make_elder, make_hero, make_peer


@pytest.mark.parametrize("animal", [False, True])
def test_names_of_one_story_begin_with_different_letters(animal: bool) -> None:
    for seed in range(100):
        random = Random(seed)
        cast: list[Character] = [make_hero(random, animal)]
        for make in (make_peer, make_elder, make_peer, make_elder):
            cast.append(make(random, cast[0], cast))
        initials = [each.name.split()[-1][0] for each in cast]
        assert len(set(initials)) == len(cast)
        if animal:
            assert len({each.kind for each in cast}) == len(cast)


def test_a_peer_has_another_temper_and_in_three_of_four_cases_the_other_gender() -> None:
    random, other_gender = Random(0), 0
    for _ in range(2_000):
        hero = make_hero(random, animal=False)
        peer = make_peer(random, hero, [hero])
        assert peer.temper != hero.temper
        other_gender += peer.pronouns is not hero.pronouns
        assert (peer.kind, peer.pronouns) in (("girl", SHE), ("boy", HE))
    assert other_gender / 2_000 == pytest.approx(0.75, abs=0.05)  # 5 standard deviations

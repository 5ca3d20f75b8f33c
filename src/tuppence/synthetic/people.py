"""The characters of a story: kind, temper, trade and relation to the hero.

Called by `teller`, which assigns them to roles. The names and traits are in `tables/people.txt`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tuppence.synthetic.tables import table


@dataclass(frozen=True)
class Pronouns:
    he: str
    him: str
    his: str
    hers: str
    himself: str


SHE = Pronouns("she", "her", "her", "hers", "herself")
HE = Pronouns("he", "him", "his", "his", "himself")

# A temper groups traits that lead to the same reactions; plots branch on it.
TEMPERS = ("hasty", "careful", "shy", "proud", "curious", "kind")


@dataclass(frozen=True, eq=False)
class Character:
    """A character of one story; compared by identity."""

    name: str
    kind: str  # "girl", "old man", "hedgehog", "baker"
    pronouns: Pronouns
    temper: str  # one of TEMPERS
    trait: str  # an adjective of that temper
    relation: str = ""  # to the hero: "brother", "friend"; empty for the hero and for strangers
    trade: str = ""  # "baker"; empty for children and animals
    is_animal: bool = False


def make_hero(random: Random, animal: bool) -> Character:
    """A child, or in a story among animals, an animal."""
    pronouns = SHE if random.random() < 0.5 else HE
    temper = random.choice(TEMPERS)
    trait = random.choice(table(f"trait_{temper}"))
    if animal:
        return Character(
            random.choice(table("name_animal")),
            random.choice(table("animal_kind")),
            pronouns,
            temper,
            trait,
            is_animal=True,
        )
    name = random.choice(table("name_girl" if pronouns is SHE else "name_boy"))
    return Character(name, "girl" if pronouns is SHE else "boy", pronouns, temper, trait)


def make_peer(random: Random, hero: Character, taken: list[Character], relation: str = "") -> Character:
    """A friend, brother, cousin, rival … of about the hero's age.

    In three of four cases of the other gender, so that pronouns are unambiguous more often.
    """
    other = SHE if hero.pronouns is HE else HE
    pronouns = other if random.random() < 0.75 else hero.pronouns
    temper = random.choice([each for each in TEMPERS if each != hero.temper])
    trait = random.choice(table(f"trait_{temper}"))
    if hero.is_animal:
        kind = _fresh(random, table("animal_kind"), {each.kind for each in taken})
        name = _fresh_name(random, "name_animal", taken)
        return Character(name, kind, pronouns, temper, trait, relation or "friend", is_animal=True)
    name = _fresh_name(random, "name_girl" if pronouns is SHE else "name_boy", taken)
    relation = relation or random.choice(table("relation_girl" if pronouns is SHE else "relation_boy"))
    return Character(name, "girl" if pronouns is SHE else "boy", pronouns, temper, trait, relation)


def make_elder(random: Random, hero: Character, taken: list[Character], trade: str = "") -> Character:
    """An adult with a trade; among animals an old one."""
    pronouns = SHE if random.random() < 0.5 else HE
    temper = random.choice(("careful", "kind", "curious"))
    trait = random.choice(table("trait_elder"))
    if hero.is_animal:
        kind = _fresh(random, table("animal_elder"), {each.kind for each in taken})
        name = _fresh_name(random, "name_animal", taken)
        return Character(name, kind, pronouns, temper, trait, trade=kind, is_animal=True)
    title = random.choice(("Mrs", "Mrs", "Miss") if pronouns is SHE else ("Mr", "Mr", "old Mr"))
    name = f"{title} {_fresh_name(random, 'surname', taken)}"
    trade = trade or random.choice(table("trade"))
    return Character(name, "woman" if pronouns is SHE else "man", pronouns, temper, trait, trade=trade)


def make_parent(random: Random, hero: Character, grand: bool) -> Character:
    """The hero's mother, father, grandmother or grandfather, called by that relation."""
    pronouns = SHE if random.random() < 0.5 else HE
    if grand:
        relation = "grandmother" if pronouns is SHE else "grandfather"
    else:
        relation = "mother" if pronouns is SHE else "father"
    return Character(relation, relation, pronouns, "kind", "kind", relation, is_animal=hero.is_animal)


def _fresh(random: Random, options: tuple[str, ...], taken: set[str]) -> str:
    while (choice := random.choice(options)) in taken:
        pass
    return choice


def _fresh_name(random: Random, name_table: str, taken: list[Character]) -> str:
    """A name whose first letter no other name of the story has."""
    initials = {each.name.split()[-1][0] for each in taken}
    while (name := random.choice(table(name_table)))[0] in initials:
        pass
    return name

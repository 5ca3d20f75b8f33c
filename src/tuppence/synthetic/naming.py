"""Names the characters and things of one story: an introduction, a name, a kind or a pronoun.

Called by `teller` for slots of templates such as `{friend}`, `{~hero.his}` and `{a thing}` (see `grammar`). `discourse`
knows which characters were introduced and which pronouns are clear.
"""

from __future__ import annotations

from collections.abc import Callable

from tuppence.synthetic.discourse import Discourse
from tuppence.synthetic.english import possessive, with_article
from tuppence.synthetic.people import Character
from tuppence.synthetic.world import Thing

_CASES = {"": "he", "him": "him", "his": "his", "hers": "hers", "himself": "himself", "he": "he"}
"""Attribute of a slot → the case of the pronoun."""


class Naming:
    """Chooses how the text calls a character or a thing.

    Args:
        uniform: returns random numbers in [0, 1).
        discourse: the characters mentioned so far; updated with each name.
        hero: the relations of other characters are relations to the hero.
    """

    def __init__(self, uniform: Callable[[], float], discourse: Discourse, hero: Character) -> None:
        self._uniform, self._discourse, self._hero = uniform, discourse, hero
        self._things: set[str] = set()
        """Nouns of the things named so far."""

    def thing(self, thing: Thing, form: str, attribute: str) -> str:
        """Returns the full phrase of a thing, or only its noun if it was named before and `form` is "the".

        Args:
            form: "a", "the" or empty.
            attribute: "noun" for the noun alone.
        """
        known = thing.noun in self._things
        self._things.add(thing.noun)
        phrase = thing.noun if attribute == "noun" or (form == "the" and known) else thing.phrase
        return with_article(phrase) if form == "a" else f"{form} {phrase}".strip()

    def character(self, who: Character, form: str, attribute: str, quoted: bool) -> str:
        """Returns a name or a pronoun of a character, or another attribute of the character.

        Args:
            form: "~" always gives a pronoun; "a" puts an article before an attribute.
            attribute: a case of the pronoun; "name" or "named" for a name; or any attribute of `Character`.
            quoted: whether somebody speaks; speakers use names.
        """
        if attribute not in _CASES and attribute not in ("name", "named"):
            text = str(getattr(who, attribute))
            return with_article(text) if form == "a" else text
        if form == "~":
            self._discourse.mention(who)
            return str(getattr(who.pronouns, _CASES[attribute]))
        owner = attribute in ("his", "hers")
        if quoted:
            name = who.name.capitalize() if who.relation == who.name else who.name
        elif attribute == "name" and who.relation != who.name:
            self._discourse.mention(who)
            name = who.name
        elif attribute not in ("name", "named") and self._discourse.pronoun_is_clear(who):
            return str(getattr(who.pronouns, _CASES[attribute]))
        else:
            name = self._name(who)
        return possessive(name) if owner else name

    def _name(self, who: Character) -> str:
        known = who in self._discourse.introduced
        if who.relation and who.relation == who.name:
            name = f"{self.character(self._hero, '', 'his', False)} {who.name}"
        elif known or who is self._hero:
            by_kind = (known and who.trade and self._uniform() < 0.3) or (
                known and who.is_animal and self._uniform() < 0.2
            )
            name = f"the {who.trade or who.kind}" if by_kind else who.name
        else:
            name = self._introduction(who)
        self._discourse.mention(who)
        return name

    def _introduction(self, who: Character) -> str:
        if who.trade:
            return f"{who.name} the {who.trade}"
        named = f"{who.name} the {who.kind}" if who.is_animal else who.name
        if not who.relation or (who.is_animal and self._uniform() < 0.4):
            return named
        return f"{self.character(self._hero, '', 'his', False)} {who.relation} {named}"

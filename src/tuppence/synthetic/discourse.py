"""Reference: decides between a name and a pronoun.

A pronoun is used if it is unambiguous, after the centering theory of Grosz, Joshi and Weinstein (1995): for a
character mentioned in this or the last sentence without another of the same gender, or for the subject of the last
sentence. Every character is named first, again after a few pronouns, and usually again in a new paragraph.
"""

from __future__ import annotations

from random import Random

from tuppence.synthetic.people import Character

_LONGEST_PRONOUN_CHAIN = 5


class Discourse:
    """The references of the last two sentences."""

    def __init__(self, random: Random) -> None:
        self._uniform = random.random
        self.introduced: set[Character] = set()
        self._current: list[Character] = []
        self._previous: list[Character] = []
        self._chain: dict[Character, int] = {}
        self._new_paragraph = True

    def mention(self, who: Character) -> None:
        """Records that a character was named, for example in an introduction."""
        self.introduced.add(who)
        self._current.append(who)
        self._chain[who] = 0

    def pronoun_is_clear(self, who: Character) -> bool:
        """Whether the next reference to `who` is a pronoun; records the reference."""
        clear = who in self.introduced and self._is_clear(who)
        self._chain[who] = self._chain.get(who, 0) + 1 if clear else 0
        self._current.append(who)
        return clear

    def _is_clear(self, who: Character) -> bool:
        current, previous = self._current, self._previous
        rival = any(other is not who and other.pronouns is who.pronouns for other in current)
        if who in current:
            return current[0] is who or not rival
        if who not in previous or rival:
            return False
        if self._chain[who] >= _LONGEST_PRONOUN_CHAIN or self._uniform() < (0.5 if self._new_paragraph else 0.08):
            return False
        if any(other is not who and other.pronouns is who.pronouns for other in previous):
            return not current and previous[0] is who
        return True

    def end_sentence(self) -> None:
        if self._current:
            self._previous, self._current = self._current, []
            self._new_paragraph = False

    def end_paragraph(self) -> None:
        self.end_sentence()
        self._new_paragraph = True

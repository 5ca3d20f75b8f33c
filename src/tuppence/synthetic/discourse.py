"""Who is meant: the model of the conversation that decides between a name and a pronoun.

A pronoun is used where a reader cannot mistake it, after the centering theory of Grosz, Joshi and Weinstein (1995):
somebody mentioned in this or the last sentence, with no rival of the same gender there, or the subject carried over
from the last sentence. Everybody is named first, is named again after a while, and at most new paragraphs.
"""

from __future__ import annotations

from random import Random

from tuppence.synthetic.people import Character

_LONGEST_PRONOUN_CHAIN = 5


class Discourse:
    """What has been said so far, as far as it matters for the next reference."""

    def __init__(self, random: Random) -> None:
        self._uniform = random.random
        self.introduced: set[Character] = set()
        self._current: list[Character] = []
        self._previous: list[Character] = []
        self._chain: dict[Character, int] = {}
        self._new_paragraph = True

    def mention(self, who: Character) -> None:
        """Somebody was named by other means than `pronoun_is_clear` (an introduction, a title)."""
        self.introduced.add(who)
        self._current.append(who)
        self._chain[who] = 0

    def pronoun_is_clear(self, who: Character) -> bool:
        """Decides on a pronoun for the next reference to `who`, and remembers the reference."""
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

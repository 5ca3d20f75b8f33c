"""Synonyms: `tables/paraphrase.txt`, applied to the fixed text of every template.

One written sentence thus has several versions. Only whole words are replaced, and only expressions that fit in every
context; the table lists them. Called by the parser of `grammar`, once for each template.
"""

from __future__ import annotations

import re
from functools import cache

from tuppence.synthetic.tables import table


def paraphrase(text: str) -> list[str | tuple[str, ...]]:
    """Splits a text into fixed strings and tuples of alternatives.

    >>> paraphrase("Nearly all of it.")
    [('Nearly', 'Almost'), ' all of it.']
    """
    pattern, ways = _dictionary()
    pieces: list[str | tuple[str, ...]] = []
    position = 0
    for match in pattern.finditer(text):
        pieces += [text[position : match.start()], ways[match.group()]]
        position = match.end()
    pieces.append(text[position:])
    return [piece for piece in pieces if piece]


@cache
def _dictionary() -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    ways: dict[str, tuple[str, ...]] = {}
    for line in table("paraphrase"):
        alternatives = tuple(line.split("|"))
        ways[alternatives[0]] = alternatives
        ways[alternatives[0].capitalize()] = tuple(each[0].upper() + each[1:] for each in alternatives)
    longest_first = sorted(ways, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b(?!')"), ways

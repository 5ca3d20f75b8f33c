"""Pairs of answers, one better than the other: an embedded set for reward models, DPO and PPO.

Row `index` of a seed is a pure function of the two. A request is drawn (see `requests`) with a good answer, and
one flaw for the rejected answer. Good answers are right, to the point, complete and kind. Flawed ones are wrong, off
topic, rude, an echo of the request, against its terms, broken off, or rambling. Neither length nor single words tell
them apart: most flawed answers are good answers to something else.
Called by `tuppence data synth preferences` and by the quickstart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tuppence.core.errors import InputError
from tuppence.synthetic.requests import FLAWS, REQUESTS, Request
from tuppence.synthetic.tables import table

# Probability of polite words before or after an answer; the same for good and bad answers.
_BEFORE, _AFTER = 0.2, 0.2


@dataclass(frozen=True)
class PreferenceRow:
    prompt: str
    chosen: str
    rejected: str


def iter_preferences(count: int, seed: int) -> Iterator[PreferenceRow]:
    """Yields the first `count` pairs of a seed.

    Raises:
        InputError: a negative count or seed.

    Example:
        >>> row = next(iter_preferences(1, seed=1))
        >>> row.chosen == row.rejected
        False
    """
    if count < 0 or seed < 0:
        raise InputError(f"cannot make {count} pairs of seed {seed}", "give a count and a seed of 0 or more")
    return (preference(seed, index) for index in range(count))


def preference(seed: int, index: int) -> PreferenceRow:
    """Returns one row of a seed."""
    return flawed_preference(seed, index)[0]


def flawed_preference(seed: int, index: int) -> tuple[PreferenceRow, str]:
    """Returns one row, and the flaw of its rejected answer, one of `FLAWS`."""
    random = Random(f"preferences/{seed}/{index}")
    request = _draw(random)
    flaw = random.choices(list(FLAWS), list(FLAWS.values()))[0]
    chosen, rejected = _worded(random, request.good), _flawed(random, request, flaw)
    return PreferenceRow(request.prompt, chosen, rejected), flaw


def _flawed(random: Random, request: Request, flaw: str) -> str:
    """Returns an answer to the request with that flaw."""
    if flaw == "off topic":
        while (other := _draw(random).good) == request.good:
            pass
        return _worded(random, other)
    if flaw == "rude":
        said = random.choice(table("request_rude"))
        return f"{said} {request.good}" if random.random() < 0.5 else said
    if flaw == "echo":
        return _worded(random, request.prompt.replace("\n", " "))
    if flaw == "broken off":
        words = request.good.split()
        kept = random.randint((len(words) + 1) // 2, len(words) - 1)
        return _worded(random, " ".join(words[:kept]).rstrip(".,!?"), after=0)
    if flaw == "rambling":
        lost = random.sample(table("request_ramble"), random.randint(1, 2))
        return " ".join([request.good, *lost] if random.random() < 0.3 else lost)
    return _worded(random, random.choice((flaw == "against" and request.against) or request.wrong))


def _draw(random: Random) -> Request:
    make, _ = random.choices(REQUESTS, [weight for _, weight in REQUESTS])[0]
    return make(random)


def _worded(random: Random, answer: str, after: float = _AFTER) -> str:
    """Returns the answer, with or without a few polite words around it."""
    said_before = random.choice(table("request_before")) if random.random() < _BEFORE else ""
    said_after = random.choice(table("request_after")) if random.random() < after else ""
    return " ".join(filter(None, (said_before, answer, said_after)))

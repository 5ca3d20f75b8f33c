"""The content is frozen: a count and a seed give the same bytes on every machine and in every later version.

Results that were published with the embedded sets stay comparable only as long as these hashes hold. A change of one
of them is a change of the data set, and is announced as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import pytest

from tuppence.synthetic import iter_instructions, iter_preferences, iter_sms, iter_stories
from tuppence.synthetic.stories import Story

Rows = Iterable[tuple[str, ...]]


def sha256(rows: Rows) -> str:
    text = "".join("\t".join(row) + "\n" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def sms(count: int, seed: int) -> Rows:
    return ((message.label, message.text) for message in iter_sms(count, seed))


def instructions(count: int, seed: int) -> Rows:
    return ((task.instruction, task.input, task.output) for task in iter_instructions(count, seed))


def preferences(count: int, seed: int) -> Rows:
    return ((row.prompt, row.chosen, row.rejected) for row in iter_preferences(count, seed))


def test_five_thousand_stories_of_seed_0_keep_their_hash(told: list[Story]) -> None:
    # enough that every plot takes every turn, so that the whole of plots/ is held
    assert sha256((each.text,) for each in told) == "4f9d773bdd9e3075c7b49cae71b20bcc3edee0e92745cdc8a351f579854d7d23"


@pytest.mark.parametrize(
    ("seed", "plots", "expected"),
    [
        (1, None, "eb1fbd5f22b9ef84f3441feadb358fd35343ccc4af17b9b2f68d0c363423c78b"),
        (0, 8, "1ab19c907b39e11303f84a707729b46ea06d0caf72a99818a5f5d15f8d685bbf"),  # as the quickstart makes them
    ],
)
def test_a_thousand_stories_keep_their_hash(seed: int, plots: int | None, expected: str) -> None:
    assert sha256((text,) for text in iter_stories(1_000, seed, plots)) == expected


@pytest.mark.parametrize(
    ("make", "count", "seed", "expected"),
    [
        (sms, 5_000, 0, "66423b28c4b5189849765d4a42ebdd2e77b05ff6558799a32e378d6ef9cd3695"),
        (sms, 1_000, 1, "3b61f7d1b6c16c19f4e4cccbf94ac61cc1b819425a29142e2a0c21ddea7f2980"),
        (instructions, 6_000, 0, "c50127a3cc3a12b8da4e7a957321912d7728eda39f011e14762225b99e94793b"),
        (instructions, 1_000, 1, "3f59b76c13d35cec16ee809eef9f6d60b817fba9adf7054121ecdbc699f4b091"),
        (preferences, 3_000, 0, "c09f5f414fc5a66e03613cc0161666e378a985b9e51d988bb3d35a57bc711243"),
        (preferences, 1_000, 1, "f81ff66d0662173c8aea78910f82c3ee0696dbf633f5bf97bd3f940fe4e3f5d7"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_rows_keep_their_hash(make: Callable[[int, int], Rows], count: int, seed: int, expected: str) -> None:
    assert sha256(make(count, seed)) == expected

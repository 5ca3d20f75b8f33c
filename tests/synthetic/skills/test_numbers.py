"""The answers are computed a second time from the numbers in the task."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from tests.synthetic.skills.conftest import drafts, numbers_in

from tuppence.synthetic.skills import Draft, Maker, numbers


def add(draft: Draft) -> str:
    return str(sum(numbers_in(draft.instruction)))


def subtract(draft: Draft) -> str:
    first, second = numbers_in(draft.instruction)
    return str(second - first if draft.instruction.startswith("Take") else first - second)


def multiply(draft: Draft) -> str:
    first, second = numbers_in(draft.instruction)
    return str(first * second)


def larger(draft: Draft) -> str:
    pick = max if "larg" in draft.instruction else min
    return str(pick(numbers_in(draft.instruction + draft.input)))


def compare(draft: Draft) -> str:
    first, second = numbers_in(draft.instruction)
    return "Yes" if (first - second) * (1 if "larger" in draft.instruction else -1) > 0 else "No"


def even_or_odd(draft: Draft) -> str:
    return "even" if numbers_in(draft.instruction)[0] in range(0, 1_000, 2) else "odd"


def sequence(draft: Draft) -> str:
    given = numbers_in(draft.input)
    steps = {later - earlier for earlier, later in pairwise(given)}
    assert len(steps) == 1
    return str(given[-1] + steps.pop())


def word_problem(draft: Draft) -> str:
    have, change = numbers_in(draft.input)
    return str(have + change if "more" in draft.input else have - change)


def sort_numbers(draft: Draft) -> str:
    ordered = sorted(numbers_in(draft.input), reverse="from the largest" in draft.instruction)
    return ", ".join(map(str, ordered))


@pytest.mark.parametrize(
    ("make", "solve"),
    [
        (numbers.add, add),
        (numbers.subtract, subtract),
        (numbers.multiply, multiply),
        (numbers.larger, larger),
        (numbers.compare, compare),
        (numbers.even_or_odd, even_or_odd),
        (numbers.sequence, sequence),
        (numbers.word_problem, word_problem),
        (numbers.sort_numbers, sort_numbers),
    ],
    ids=lambda function: function.__name__,
)
def test_the_answer_follows_from_the_task(make: Maker, solve: Callable[[Draft], str]) -> None:
    for draft in drafts(make):
        assert solve(draft) == draft.output, draft


def test_arithmetic_has_operands_below_100_and_positive_results() -> None:
    for make in (numbers.add, numbers.subtract, numbers.multiply, numbers.word_problem):
        for draft in drafts(make):
            assert all(0 < number < 100 for number in numbers_in(draft.instruction + draft.input)), draft
            assert int(draft.output) > 0, draft

"""Made-up tasks: nearly all distinct, each with one answer, of every kind."""

from __future__ import annotations

from collections import Counter

import pytest

from tuppence.core.errors import InputError
from tuppence.synthetic.instructions import KINDS, Task, iter_instructions


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return list(iter_instructions(10_000, seed=0))


def test_a_task_depends_on_seed_and_index_only(tasks: list[Task]) -> None:
    assert list(iter_instructions(50, seed=0)) == tasks[:50]
    assert list(iter_instructions(50, seed=1)) != tasks[:50]


def test_5960_of_the_6000_tasks_of_seed_0_are_distinct(tasks: list[Task]) -> None:
    assert len({(task.instruction, task.input) for task in tasks[:6_000]}) == 5_960


def test_about_one_task_in_a_hundred_is_in_another_seed_too(tasks: list[Task]) -> None:
    # what the guide says to leave out of a test set that is made with another seed
    asked = {(task.instruction, task.input) for task in tasks[:6_000]}
    assert sum((task.instruction, task.input) in asked for task in iter_instructions(6_000, seed=1)) == 76


def test_no_task_has_two_answers(tasks: list[Task]) -> None:
    answers: dict[tuple[str, str], str] = {}
    for task in tasks:
        assert answers.setdefault((task.instruction, task.input), task.output) == task.output


def test_every_kind_has_at_least_60_and_at_most_1500_of_ten_thousand_tasks(tasks: list[Task]) -> None:
    counts = Counter(task.kind for task in tasks)
    assert set(counts) == set(KINDS)
    assert min(counts.values()) > 60
    assert max(counts.values()) < 1_500


def test_yes_and_no_are_equally_often_right(tasks: list[Task]) -> None:
    answers = Counter(task.output for task in tasks if task.output in ("Yes", "No"))
    assert 0.42 < answers["Yes"] / answers.total() < 0.58


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(InputError, match="cannot make -1 tasks"):
        iter_instructions(-1, seed=0)

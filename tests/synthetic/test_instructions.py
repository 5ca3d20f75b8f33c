"""Made-up tasks: different from one another, answered by their own input, and of every kind."""

from __future__ import annotations

import doctest
from collections import Counter

import pytest

from tuppence.core.errors import InputError
from tuppence.synthetic import instructions
from tuppence.synthetic.instructions import KINDS, Task, iter_instructions


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return list(iter_instructions(10_000, seed=0))


def test_a_task_depends_on_its_seed_and_place_alone(tasks: list[Task]) -> None:
    assert list(iter_instructions(50, seed=0)) == tasks[:50]
    assert list(iter_instructions(50, seed=1)) != tasks[:50]


def test_of_ten_thousand_tasks_more_than_9500_are_distinct(tasks: list[Task]) -> None:
    assert len({(task.instruction, task.input) for task in tasks}) > 9_800


def test_no_task_has_two_answers(tasks: list[Task]) -> None:
    answers: dict[tuple[str, str], str] = {}
    for task in tasks:
        assert answers.setdefault((task.instruction, task.input), task.output) == task.output


def test_every_kind_comes_often_enough_to_be_learnt_and_none_takes_over(tasks: list[Task]) -> None:
    counts = Counter(task.kind for task in tasks)
    assert set(counts) == set(KINDS)
    assert min(counts.values()) > 60
    assert max(counts.values()) < 1_500


def test_no_answer_alone_answers_many_tasks(tasks: list[Task]) -> None:
    # a model that always says "Yes" must look as useless as it is
    assert Counter(task.output for task in tasks).most_common(1)[0][1] < 1_000


def test_answers_are_short_and_in_one_style(tasks: list[Task]) -> None:
    for task in tasks:
        text = " ".join((task.instruction, task.input, task.output))
        assert text.isascii()
        assert not set(text) & set("{}[]<>|\n\t"), text
        assert task.instruction[0].isupper()
        assert task.instruction[-1] in ".?", task
        assert 1 <= len(task.output.split()) <= 16
        assert task.output == task.output.strip()
        if task.output.lower() in ("yes", "no"):
            assert task.output in ("Yes", "No")


def test_yes_and_no_are_equally_often_right(tasks: list[Task]) -> None:
    answers = Counter(task.output for task in tasks if task.output in ("Yes", "No"))
    assert 0.42 < answers["Yes"] / answers.total() < 0.58


def test_bad_wishes_are_refused() -> None:
    with pytest.raises(InputError, match="cannot make -1 tasks"):
        iter_instructions(-1, seed=0)


def test_the_examples_hold() -> None:
    assert doctest.testmod(instructions).failed == 0

"""Functions are found by their names, or by the names of their arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exercises.grading import exercise
from tuppence.core.errors import InputError
from tuppence.exercises import EXERCISES
from tuppence.exercises.finding import by_function, fits, in_file, in_names, names_of, names_of_caller


def my_attention(one, two, three, four):
    return one


def merge(W, A, B, alpha, r):
    return W


def by_its_arguments(ids, n):
    return ids


def test_a_function_is_for_the_exercise_of_its_name_or_else_of_its_arguments() -> None:
    assert by_function(EXERCISES, my_attention).key == "3/attention"
    assert by_function(EXERCISES, merge).key == "7/merge"
    assert by_function(EXERCISES, by_its_arguments).key == "7/mask_prompt"
    with pytest.raises(InputError, match="no exercise has the name 'run'"):
        by_function(EXERCISES, type("run", (), {"__call__": lambda self: 1})())


def test_the_name_with_the_chapter_comes_first() -> None:
    assert names_of(exercise("7/merge")) == ("merge_7", "my_merge", "merge")
    found = in_names(exercise("7/merge"), {"merge": my_attention, "merge_7": merge})
    assert found() is merge


def test_a_function_comes_before_another_value_of_one_of_the_names() -> None:
    assert in_names(exercise("attention"), {"my_attention": 3, "attention": my_attention})() is my_attention
    assert in_names(exercise("attention"), {"attention": 3})() == 3
    assert in_names(exercise("attention"), {"attention": None})() is None


def test_what_fits_can_be_called_with_the_arguments() -> None:
    assert fits(merge, exercise("7/merge"))
    assert not fits(merge, exercise("2/merge"))
    assert not fits(3, exercise("2/merge"))


def test_a_file_must_be_python(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    for name, words in (("notes.txt", "is not a Python file"), ("none.py", "cannot read")):
        with pytest.raises(InputError, match=words):
            in_file(exercise("attention"), tmp_path / name)


def test_the_names_of_the_caller_are_those_of_this_file() -> None:
    assert names_of_caller()["my_attention"] is my_attention

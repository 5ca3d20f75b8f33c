"""`check` and `check_file`: which functions are tried, and what the results are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.exercises import EXERCISES, check, check_file, stubs


def grad_by_hand(x):
    return 2 * x + 3


auc = 0.9


def test_a_function_a_name_and_nothing_can_be_checked() -> None:
    assert check(grad_by_hand).passed
    assert check("grad_by_hand").passed
    assert len(check()) == len(EXERCISES)
    assert check("auc")[0].status == "no function"
    with pytest.raises(InputError):
        check("nothing")


def test_of_two_exercises_with_one_name_the_one_that_fits_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def merge(W, A, B, alpha, r):\n    return W + alpha / r * B @ A\n")
    assert [result.exercise.key for result in check_file("merge", file)] == ["7/merge"]
    assert check_file("merge", file).passed


def test_stubs_are_python_with_task_and_properties() -> None:
    functions = [node for node in ast.parse(stubs()).body if isinstance(node, ast.FunctionDef)]
    assert len(functions) == len(EXERCISES)
    assert {"merge_2", "merge_7"} <= {function.name for function in functions}
    for function, exercise in zip(functions, EXERCISES, strict=True):
        text = ast.get_docstring(function) or ""
        assert " ".join(text.split("\n\n")[0].split()).rstrip(".")[1:] == exercise.task[1:]
        assert all(one.statement in text for one in exercise.properties)

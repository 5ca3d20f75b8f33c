"""A learner's function in this process, and what every test of a wrong answer asserts."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tuppence.exercises import EXERCISES
from tuppence.exercises.child import float_tensors, gradients
from tuppence.exercises.exercise import Calls, Draw, Exercise
from tuppence.exercises.finding import Given
from tuppence.exercises.judge import judge, try_properties
from tuppence.exercises.plain import dumps, loads
from tuppence.exercises.process import CallError
from tuppence.exercises.result import Result
from tuppence.exercises.showing import show

SEED = 1
Function = Callable[..., Any]


class Here:
    """A function in this process: what a `Learner` does in another. It keeps all calls."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self.made: list[tuple[Any, ...]] = []

    def begin_property(self) -> None:
        pass

    def call(self, arguments: Sequence[Any], *, gradients: bool = False) -> dict[str, Any]:
        arguments = copy.deepcopy(list(arguments))
        self.made.append(copy.deepcopy(tuple(arguments)))
        inputs = [tensor.requires_grad_() for tensor in float_tensors(arguments)] if gradients else []
        try:
            value = self._function(*arguments)
        except Exception as error:
            raise CallError(f"raises {type(error).__name__}: {error}") from error
        if not gradients:
            return {"value": loads(dumps(value)), "arguments": arguments}
        return {"value": loads(dumps(value)), "gradients": _gradients(value, inputs)}

    def calls(self, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        return [self.call(one)["value"] for one in arguments]

    def device(self) -> str:
        return "cuda" if torch.cuda.is_available() else "cpu"


_gradients = gradients


def exercise(key: str) -> Exercise:
    """An exercise by its name, or `chapter/name`."""
    return next(one for one in EXERCISES if key in (one.name, one.key))


def calls_of(exercise: Exercise, function: Function, seed: int) -> list[tuple[Any, ...]]:
    """The arguments of every call that the properties make, if all hold."""
    here = Here(function)
    for number, one in enumerate(exercise.properties):
        for arguments in one.inputs(Draw(f"{seed}/{exercise.key}/{number}")):
            assert one.holds(Calls(here, exercise.fit), *arguments) is None
    return here.made


def grade(exercise: Exercise, function: Function, seed: int | None = SEED) -> Result:
    """Checks a function in a process of its own."""
    return judge(exercise, Given(function), seed=seed)


def assert_caught(key: str, function: Function, statement: str) -> Result:
    """Asserts that a wrong answer fails first at the property that begins with `statement`, and that the message does
    not tell the answer."""
    asked = exercise(key)
    result = try_properties(asked, Here(function), SEED)
    shown = dict(result.details)
    assert result.status == "failed", result
    assert shown["Property"].startswith(statement), f"it fails at: {shown['Property']}"
    assert_no_solution(asked, result)
    return result


def assert_no_solution(asked: Exercise, result: Result) -> None:
    shown = {label: text for label, text in result.details if label in ("It gave", "Problem", "Hint", "Second hint")}
    text = "\n".join(shown.values())
    statements = [line.strip() for line in inspect.getsource(asked.answer).splitlines()[1:]]
    assert not [line for line in statements if len(line) > 20 and not line.startswith('"""') and line in text]
    for arguments in first_inputs(asked, result):
        right = show(asked.answer(*copy.deepcopy(arguments)))
        assert len(right) < 6 or right not in text.replace(dict(result.details).get("It gave", "\0"), ""), right


def first_inputs(asked: Exercise, result: Result) -> list[tuple[Any, ...]]:
    """The inputs of the property that failed."""
    number = result.held
    inputs = asked.properties[number].inputs(Draw(f"{result.seed}/{asked.key}/{number}"))
    return [tuple(arguments) for arguments in inputs if len(arguments) == len(asked.parameters)]

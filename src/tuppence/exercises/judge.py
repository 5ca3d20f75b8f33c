"""Tries the properties of an exercise on a learner's function, one after the other, and stops at the first that fails.

The function runs in its own process (`process`); what is right is known here only.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from tuppence.core.console import counted, one_line, visible
from tuppence.exercises import attempts
from tuppence.exercises.child import Load
from tuppence.exercises.exercise import NOTHING, Callee, Calls, Draw, Exercise, UnfitError
from tuppence.exercises.limits import Limits
from tuppence.exercises.process import CallError, Learner
from tuppence.exercises.result import Result, Status
from tuppence.exercises.showing import is_cut, show

SECOND_HINT_FROM = 3
HINT_TOP_LEVEL = 'Code outside functions runs at every check. Put it below if __name__ == "__main__":'
HINT_WITHOUT_RESULT = "Call your function with this input yourself, and print what it has before it stops."
DOTS = {1: "●○○", 2: "●●○", 3: "●●●"}


def judge(exercise: Exercise, load: Load, *, limits: Limits | None = None, seed: int | None = None) -> Result:
    """Checks one function, and records the try.

    Args:
        load: finds the function, in its own process.
        seed: of the random inputs; None draws a new one, so that an answer cannot know them.
    """
    seed = secrets.randbelow(10**6) if seed is None else seed
    limits = Limits() if limits is None else limits
    try:
        learner = Learner(load, len(exercise.parameters), limits)
    except CallError as error:
        return _not_loaded(exercise, error, seed)
    with learner:
        facts = learner.facts
        if not facts["found"] and facts["other"] is not None:
            return card(
                exercise, "no function", f"{exercise.name} is a value of the type {facts['other']}, no function"
            )
        if not facts["found"] or facts["empty"]:
            return card(exercise)
        if not facts["fits"]:
            signature = f"{exercise.name}{facts['signature']}"
            return Result(
                exercise.entry,
                "wrong signature",
                one_line(f"yours is {signature}; write {exercise.signature}"),
                details=(("Task", exercise.task),),
                network=facts["network"],
            )
        result = try_properties(exercise, learner, seed)
        network = str(facts["network"])
    if result.status == "not written":
        return result
    tries = attempts.record(exercise.key, str(facts["digest"]), passed=result.passed)
    details = result.details
    if tries >= SECOND_HINT_FROM:
        second = exercise.properties[result.held].second_hint or exercise.second_hint
        details = (*details, ("Second hint", second))
    if learner.printed and not result.passed:
        details = (*details, ("It printed", visible(learner.printed.rstrip("\n"))))
    return Result(
        exercise.entry,
        result.status,
        result.headline,
        result.held,
        details,
        tries,
        seed,
        network,
        arguments=result.arguments,
    )


def _not_loaded(exercise: Exercise, error: CallError, seed: int) -> Result:
    """The result for a file whose code outside functions fails."""
    details = [("Hint", HINT_TOP_LEVEL)] if error.ends else []
    if error.printed:
        details.append(("It printed", visible(error.printed.rstrip("\n"))))
    return Result(exercise.entry, "failed", one_line(f"the file {error.problem}"), details=tuple(details), seed=seed)


def card(exercise: Exercise, status: Status = "not written", headline: str = "not written yet") -> Result:
    """What an exercise asks for, for a function that is not written yet."""
    return Result(
        exercise.entry,
        status,
        one_line(headline),
        details=(
            ("Write", exercise.signature),
            ("Task", exercise.task),
            *_numbered("Properties", [one.statement for one in exercise.properties]),
            ("Difficulty", f"{DOTS[exercise.difficulty]}   importance {DOTS[exercise.importance]}"),
            ("Time", f"up to {counted(exercise.minutes, 'minute')}"),
        ),
        solved_before=exercise.key in attempts.solved(),
    )


def _numbered(label: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(label if number == 1 else "", f"{number}. {text}") for number, text in enumerate(texts, start=1)]


def try_properties(exercise: Exercise, learner: Callee, seed: int) -> Result:
    """Tries the properties in their order, up to the first that fails, and records nothing."""
    for number, one in enumerate(exercise.properties):
        learner.begin_property()
        for arguments in one.inputs(Draw(f"{seed}/{exercise.key}/{number}")):
            calls, hint = Calls(learner, exercise.fit), one.hint
            try:
                problem = one.holds(calls, *arguments)
            except CallError as error:
                if not error.written:
                    return card(exercise)
                problem, hint = f"the function {error.problem}", HINT_WITHOUT_RESULT
            except UnfitError as error:
                problem = f"the result {error}"
            if problem is not None:
                return _failed(exercise, number, calls, problem, hint, seed)
    count = len(exercise.properties)
    return Result(exercise.entry, "passed", f"all {count} properties hold", held=count)


def _failed(exercise: Exercise, number: int, calls: Calls, problem: str, hint: str, seed: int) -> Result:
    arguments = dict(zip(exercise.parameters, calls.made[-1][0] if calls.made else (), strict=False))
    cut = any(map(is_cut, arguments.values()))
    return Result(
        exercise.entry,
        "failed",
        f"property {number + 1} of {len(exercise.properties)} does not hold",
        held=number,
        details=(
            ("Property", exercise.properties[number].statement),
            *_shown_calls(exercise, calls.made),
            ("Problem", one_line(problem)),
            ("Hint", hint),
            ("Same inputs", f"seed {seed}"),
            *([("All numbers", f"tp.check({exercise.name}, seed={seed})[0].arguments")] if cut else []),
        ),
        seed=seed,
        arguments=arguments,
    )


def _parts(name: str, argument: Any) -> list[tuple[str, Any]]:
    """An argument, or the items of one that is a dict of tensors: each has a line of its own."""
    if isinstance(argument, dict) and any(isinstance(part, Tensor) for part in argument.values()):
        return [(f"{name}[{key!r}]", part) for key, part in argument.items()]
    return [(name, argument)]


def _shown_calls(exercise: Exercise, made: Sequence[tuple[list[Any], Any]]) -> list[tuple[str, str]]:
    """The first call and the last: of later calls only the arguments that changed."""
    shown: list[tuple[str, str]] = []
    chosen = list(made) if len(made) <= 2 else [made[0], made[-1]]
    before: dict[str, str] = {}
    for position, (arguments, value) in enumerate(chosen):
        texts = {
            name: show(part)
            for parameter, argument in zip(exercise.parameters, arguments, strict=False)
            for name, part in _parts(parameter, argument)
        }
        for name, text in texts.items():
            if before.get(name) != text:
                shown.append(("Input" if position == 0 else "Then", f"{name} = {text}"))
        if value is not NOTHING:
            shown.append(("It gave", show(value)))
        before = texts
    return shown

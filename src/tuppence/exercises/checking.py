"""Checks functions of a notebook or a file, and writes the stubs to fill in. Imports torch; `catalog` does not."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuppence.core.errors import InputError
from tuppence.exercises import (
    chapter1,
    chapter2,
    chapter3,
    chapter4,
    chapter5,
    chapter6,
    chapter7,
    chapter8,
    finding,
)
from tuppence.exercises.catalog import by_what
from tuppence.exercises.exercise import Exercise
from tuppence.exercises.judge import judge
from tuppence.exercises.limits import Limits
from tuppence.exercises.progress import overview
from tuppence.exercises.result import Result, Results

_CHAPTERS = (chapter1, chapter2, chapter3, chapter4, chapter5, chapter6, chapter7, chapter8)
EXERCISES: tuple[Exercise, ...] = tuple(exercise for chapter in _CHAPTERS for exercise in chapter.EXERCISES)
"""All exercises, in the order of the course."""


def check(what: Callable[..., Any] | str | int | None = None, *, seed: int | None = None) -> Results:
    """Checks functions of a notebook or script against the properties of the exercises.

    Args:
        what: a function; or the name of an exercise, or the number of a chapter: the functions are then found by their
            names where `check` is called. None checks nothing and lists all exercises with what is solved.
        seed: of the random inputs, to repeat a check; a new one by default.

    Raises:
        InputError: there is no such exercise or chapter.

    A function is found by its name, with or without `my_` before it: `check(my_attention)`.
    """
    if what is None:
        return overview()
    if callable(what):
        exercise = finding.by_function(EXERCISES, what)
        return Results((judge(exercise, finding.Given(what), seed=seed),))
    names = finding.names_of_caller()
    chosen = by_what(EXERCISES, what)
    loads = [(exercise, finding.in_names(exercise, names)) for exercise in chosen]
    fitting = [(exercise, load) for exercise, load in loads if finding.fits(load.function, exercise)]
    if fitting and len({exercise.name for exercise in chosen}) == 1:
        loads = fitting  # of two exercises with one name, the one that the function is for
    return _titled(tuple(judge(exercise, load, seed=seed) for exercise, load in loads))


def check_file(what: str | int | None, path: Path, *, seed: int | None = None, limits: Limits | None = None) -> Results:
    """Checks functions of a Python file.

    Args:
        what: the name of an exercise, or the number of a chapter; None for all that the file has functions for.

    Raises:
        InputError: there is no such exercise or chapter, or the file cannot be read.
    """
    chosen = list(EXERCISES) if what is None else by_what(EXERCISES, what)
    results = []
    for exercise in chosen:
        results.append(judge(exercise, finding.in_file(exercise, path), seed=seed, limits=limits))
        if results[-1].status == "failed" and results[-1].network is None:
            break  # the file cannot be loaded: it would be the same for each of them
    if what is None:
        results = [result for result in results if result.status != "not written"]
        if not results:
            raise InputError(f"{path} has no function of an exercise", "`tuppence check` lists their names")
    if len({exercise.name for exercise in chosen}) == 1:
        results = [result for result in results if result.status != "wrong signature"] or results[:1]
    return _titled(tuple(results))


def stubs(what: str | int | None = None) -> str:
    """A Python file with an empty function for each exercise, to fill in.

    Args:
        what: the name of an exercise, or the number of a chapter; None for all.
    """
    chosen = list(EXERCISES) if what is None else by_what(EXERCISES, what)
    names = [exercise.name for exercise in chosen]
    blocks = ["import torch\n"]
    for exercise in chosen:
        name = exercise.name if names.count(exercise.name) == 1 else f"{exercise.name}_{exercise.chapter}"
        task = exercise.task[0].upper() + exercise.task[1:] + "."
        text = textwrap.fill(f'"""{task}', 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        statements = [one.statement for one in exercise.properties]
        numbered = "".join(f"    {number}. {text}\n" for number, text in enumerate(statements, start=1))
        arguments = ", ".join(exercise.parameters)
        blocks.append(
            f'def {name}({arguments}):\n{text}\n\n    Properties:\n{numbered}    """\n    raise NotImplementedError\n'
        )
    return "\n\n".join(blocks)


def _titled(results: tuple[Result, ...]) -> Results:
    passed = sum(result.passed for result in results)
    title = f"{passed} of {len(results)} exercises are solved" if len(results) > 1 else ""
    return Results(results, title=title)

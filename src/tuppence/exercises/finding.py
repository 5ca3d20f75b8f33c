"""Finds the functions that are meant to solve exercises, in a file and in a notebook, and a function's exercise."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuppence.core.errors import InputError
from tuppence.core.files import explain_os_error, special_kind

if TYPE_CHECKING:
    from tuppence.exercises.exercise import Exercise


@dataclass(frozen=True)
class Given:
    """A function of this process; None if there is none; another value if something else has its name."""

    function: Any
    file: str | None = None

    def __call__(self) -> Any:
        return self.function


@dataclass(frozen=True)
class InFile:
    """A function of a Python file, which is read where `__call__` is called.

    Attributes:
        path: the file.
        names: of the function; the first that the file has is taken.
    """

    path: str
    names: tuple[str, ...]

    @property
    def file(self) -> str:
        return self.path

    def __call__(self) -> Any:
        name = "learner_" + "".join(letter if letter.isalnum() else "_" for letter in Path(self.path).stem)
        spec = importlib.util.spec_from_file_location(name, self.path)
        if spec is None or spec.loader is None:
            raise ImportError("is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, str(Path(self.path).parent))
        sys.dont_write_bytecode = True
        spec.loader.exec_module(module)
        return _first(vars(module), self.names)


def names_of(exercise: Exercise) -> tuple[str, ...]:
    """The names under which a function is found: `merge_7`, `my_merge`, `merge`."""
    return f"{exercise.name}_{exercise.chapter}", f"my_{exercise.name}", exercise.name


def require_python(path: Path) -> None:
    """Checks that a file can be read, and that its name ends in .py.

    Raises:
        InputError: it does not.
    """
    try:
        kind = special_kind(path.stat().st_mode)
        if kind is not None:
            raise InputError(f"{path} is {kind}, not a Python file", "give a file whose name ends in .py")
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise explain_os_error(error, path) from error
    if path.suffix != ".py":
        raise InputError(f"{path} is not a Python file", "give a file whose name ends in .py")


def in_file(exercise: Exercise, path: Path) -> InFile:
    """The function for an exercise in a Python file.

    Raises:
        InputError: the file cannot be read, or is not Python.
    """
    require_python(path)
    return InFile(str(path.resolve()), names_of(exercise))


def in_names(exercise: Exercise, names: Mapping[str, Any]) -> Given:
    """The function for an exercise among the names of a notebook; of two with one name, the one that fits."""
    return Given(_first(names, names_of(exercise)))


def by_function(exercises: Sequence[Exercise], function: Callable[..., Any]) -> Exercise:
    """The exercise that a function is meant for, by its name, with or without `my_`; else by its arguments' names.

    Raises:
        InputError: none fits, or several.
    """
    name = str(getattr(function, "__name__", type(function).__name__))
    found = [exercise for exercise in exercises if name in names_of(exercise)]
    if len(found) > 1:
        found = [exercise for exercise in found if _fits(function, exercise)] or found[:1]
    if not found:
        parameters = _parameters(function)
        found = [exercise for exercise in exercises if tuple(parameters) == exercise.parameters]
    if len(found) != 1:
        close = difflib.get_close_matches(name.removeprefix("my_"), [exercise.name for exercise in exercises], n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"no exercise has the name {name!r}", f"{hint}`tuppence check` lists all".strip())
    return found[0]


def fits(function: Any, exercise: Exercise) -> bool:
    """Whether something is a function that can be called with the arguments of an exercise."""
    return callable(function) and _fits(function, exercise)


def _fits(function: Callable[..., Any], exercise: Exercise) -> bool:
    try:
        inspect.signature(function).bind(*exercise.parameters)
    except (TypeError, ValueError):
        return False
    return True


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _first(names: Mapping[str, Any], wanted: Sequence[str]) -> Any:
    """The first function with one of the names; else the first other value, so that the learner hears of it."""
    found = [names[name] for name in wanted if names.get(name) is not None]
    return next(filter(callable, found), found[0] if found else None)


def names_of_caller() -> Mapping[str, Any]:
    """The names of the notebook or script that called this package."""
    frame = sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "tuppence":
        frame = frame.f_back
    return frame.f_globals

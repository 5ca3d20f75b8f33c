"""Exercises that grade themselves: `check(f)` in a notebook, `tuppence check` on the command line.

A learner writes a function; the checker tries properties on it, smallest inputs first, and shows the first input where
one fails, what the function gave, and a hint. It never shows the right value. The function runs in a process of its
own, with limits of time and memory and without a network.

- `catalog`, `progress`: the list of all exercises and what is solved, without torch.
- `checking`: `check` and `check_file`; `finding`: the learner's functions in a notebook or file.
- `chapter1` … `chapter8`: the exercises.
- `exercise`: what an exercise and a property are. `answers`: a right answer to each.
- `judge`: tries the properties. `result`: shows what it found. `attempts`: what was tried and solved before.
- `process`, `child`, `confine`, `plain`: the learner's process, its limits, and the way of values in and out.

The names below are imported when they are first used: `checking` needs torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuppence.exercises.checking import EXERCISES, check, check_file, stubs
    from tuppence.exercises.progress import overview

_WHERE = {
    **dict.fromkeys(("EXERCISES", "check", "check_file", "stubs"), "checking"),
    "overview": "progress",
}

__all__ = ["EXERCISES", "check", "check_file", "overview", "stubs"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)

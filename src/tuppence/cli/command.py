"""What `main` knows about the running command line; verbs get it as the `obj` of their context."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tuppence.core.process import process_began


class RecipeChecked(BaseException):
    """The recipe of a training verb is right. Not an Exception, so that no `except Exception` catches it."""


@dataclass(frozen=True)
class Command:
    """The running command line.

    Attributes:
        began: start in seconds of `time.monotonic`. Time and cost are counted from here, including imports.
        is_the_program: whether the process runs only this command; the cost then includes the start of the process.
        outputs: the paths that the verb writes to; empty until its parameters are parsed.
        checks_recipe: whether a training verb only reads its recipe, and raises `RecipeChecked` then.
    """

    began: float
    is_the_program: bool
    outputs: list[Path] = field(default_factory=list)
    checks_recipe: bool = False

    @classmethod
    def now(cls, *, is_the_program: bool) -> Command:
        """Returns a command that begins now, or that began with the process if it is the program."""
        return cls(process_began() if is_the_program else time.monotonic(), is_the_program)

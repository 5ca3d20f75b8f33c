"""What a chapter starts with: seed, threads, scale and folder, and the report of the machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, get_args

import torch

from tuppence.core import checkup, console
from tuppence.core.environment import choose_device, where
from tuppence.core.errors import InputError
from tuppence.core.table import Table
from tuppence.core.threads import share_cores
from tuppence.course.measurements import measured
from tuppence.course.runs import Receipt, Run

Scale = Literal["test", "laptop", "gpu"]
T = TypeVar("T")

SCALE_VARIABLE, FOLDER_VARIABLE = "TUPPENCE_SCALE", "TUPPENCE_COURSE"
"""Environment variables: the scale of all chapters, and the folder of their runs (default: runs/course)."""

TITLES = {
    1: "LLM fundamentals",
    2: "Text data",
    3: "Attention",
    4: "The GPT model",
    5: "Pretraining",
    6: "Classification",
    7: "Instructions",
    8: "Alignment",
}


@dataclass(frozen=True)
class Chapter:
    """The setting of one chapter.

    Attributes:
        number: 1 to 8.
        scale: "test" (seconds, for the project's tests), "laptop" or "gpu".
        folder: for runs and files of this chapter and scale.
        device: of torch.
    """

    number: int
    scale: Scale
    folder: Path
    device: str
    began: float = field(default_factory=time.monotonic, repr=False)

    def pick(self, test: T, laptop: T, gpu: T | None = None) -> T:
        """Returns the value of the present scale: `steps = chapter.pick(test=5, laptop=400, gpu=4000)`."""
        return test if self.scale == "test" else gpu if self.scale == "gpu" and gpu is not None else laptop

    def receipt(self, *runs: Run) -> Receipt:
        """Returns what the chapter took so far: wall time since its start, and dollars, tokens and steps of runs."""
        total = sum((run.receipt for run in runs), Receipt(0.0, 0.0, 0, 0, 0))
        return Receipt(time.monotonic() - self.began, total.dollars, total.tokens, total.steps, total.attempts)

    def __repr__(self) -> str:
        title = f"Chapter {self.number}: {TITLES[self.number]}"
        known = measured().get(self.number)
        took = f"\nthe whole chapter: {known}" if known else ""
        return f"{title} · scale {self.scale} · {self.device} · {where()} · runs in {_short(self.folder)}{took}"


def chapter(number: int, scale: Scale | None = None, *, seed: int = 1) -> Chapter:
    """Prepares a chapter: seeds torch, takes the usual threads, sends messages to the cell's output as plain text.

    Args:
        number: 1 to 8.
        scale: "test", "laptop" or "gpu"; by default the environment variable TUPPENCE_SCALE, else "laptop".

    Raises:
        InputError: there is no such chapter or scale.
    """
    if number not in TITLES:
        raise InputError(f"there is no chapter {number}", "chapters are 1 to 8")
    share_cores()
    torch.manual_seed(seed)
    console.tell(lambda message: print(message, flush=True))
    chosen = current_scale() if scale is None else _known(scale)
    os.environ[SCALE_VARIABLE] = chosen  # for `course.base`, and for commands that a cell starts
    return Chapter(number, chosen, course_folder() / chosen / f"chapter-{number}", choose_device())


def current_scale() -> Scale:
    """Returns the scale of TUPPENCE_SCALE; "laptop" without it."""
    return _known(os.environ.get(SCALE_VARIABLE) or "laptop")


def course_folder() -> Path:
    """Returns the folder of the course's runs: TUPPENCE_COURSE, or runs/course beside the notebooks' folder."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given)
    here = Path.cwd()
    return (here.parent if here.name == "notebooks" else here) / "runs" / "course"


def _known(scale: str) -> Scale:
    for known in get_args(Scale):
        if scale == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"there is no scale {scale!r}", f"use one of: {', '.join(get_args(Scale))}")


def _short(folder: Path) -> str:
    """Returns a folder relative to the course's parent, so that a notebook does not name its author's home."""
    parts = folder.parts
    return str(Path(*parts[-4:])) if "runs" in parts[-4:] else folder.name


class Report(Table):
    """The result of `tuppence doctor` as a table.

    Attributes:
        status: the worst status: "ok", "warn" or "fail".
    """

    def __init__(self, checks: list[checkup.Check]) -> None:
        super().__init__(
            ["check", "status", "value", "what to do"], [[c.name, c.status, c.value, c.hint] for c in checks]
        )
        self.status = checkup.verdict(checks)


def doctor() -> Report:
    """Examines this machine, as `tuppence doctor`: Python, torch, device, precision, memory, disk, place, AWS."""
    return Report(checkup.examine(Path()))

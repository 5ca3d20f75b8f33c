"""The door of the evaluation room: a run and names of tasks in, the numbers by task out.

Called by `tuppence evaluate` and by the quickstart. A task is a function of a `Subject` and the `Settings`; a new
one is a line in `TASKS`.
"""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuppence.core import console, files
from tuppence.core.errors import InputError
from tuppence.core.rundir import RunDir
from tuppence.evaluation.perplexity import perplexity
from tuppence.evaluation.streams import bytes_of_tokens, open_stream
from tuppence.evaluation.subject import Subject, data_of_run, load_subject

RESULTS_NAME = "evaluation.json"
"""The file in a run folder that keeps the numbers; the report shows them."""

Numbers = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What a person may choose about an evaluation; None is the task's own default.

    Attributes:
        data: a DATA folder (its validation split), a text file, a folder or a glob; the run's own data if absent.
        context_length: the longest window, in tokens.
        stride: tokens from one window's start to the next.
        batch_size: windows at once.
        max_tokens: stop after this many scored tokens.
    """

    data: str | None = None
    context_length: int | None = None
    stride: int | None = None
    batch_size: int | None = None
    max_tokens: int | None = None


def evaluate(
    folder: Path,
    tasks: Sequence[str] = ("perplexity",),
    settings: Settings | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
) -> dict[str, Numbers]:
    """Runs the tasks and, where `folder` is a run, keeps their numbers in its evaluation.json.

    Args:
        folder: a run, or a Hugging Face GPT-2 folder with its tokenizer.
        tasks: names from `TASKS`.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        precision: `auto`, `bf16`, `fp16` or `float32`.

    Returns:
        Task name → its numbers, plain values ready for JSON.

    Raises:
        InputError: an unknown task, no model, no data, or settings that do not fit.
    """
    check_tasks(tasks)
    subject = load_subject(folder, device, precision)
    results = {task: TASKS[task](subject, settings or Settings()) for task in tasks}
    if RunDir(folder).exists():
        _keep(folder / RESULTS_NAME, results)
    return results


def check_tasks(tasks: Sequence[str]) -> None:
    """Refuses an unknown task before anything heavy is loaded.

    Raises:
        InputError: with the nearest known name.
    """
    if not tasks:
        raise InputError("no task was named", f"known tasks: {', '.join(TASKS)}")
    for task in tasks:
        if task not in TASKS:
            near = difflib.get_close_matches(task, TASKS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"known tasks: {', '.join(TASKS)}"
            raise InputError(f"unknown task {task!r}", hint)


def _perplexity(subject: Subject, settings: Settings) -> Numbers:
    data = settings.data or data_of_run(subject.folder)
    if data is None:
        raise InputError("perplexity needs a text", "add --data DATA (its validation split) or --data FILE")
    stream = open_stream(data, subject.tokenizer)
    began = time.perf_counter()
    with console.progress("bytes") as bar, subject.arithmetic():
        task = bar.add_task("perplexity", total=stream.total_bytes)
        score = perplexity(
            subject.model,
            stream.pieces,
            bytes_of_tokens(subject.tokenizer),
            context_length=settings.context_length,
            stride=settings.stride,
            batch_size=settings.batch_size,
            max_tokens=settings.max_tokens,
            on_bytes=lambda count: bar.advance(task, count),
        )
    return {
        **asdict(score),
        "data": data,
        "max_tokens": settings.max_tokens,
        "precision": subject.precision.name,
        "device": subject.device,
        "seconds": round(time.perf_counter() - began, 3),
    }


def _keep(path: Path, results: dict[str, Numbers]) -> None:
    """Adds to what earlier evaluations found; a damaged file is replaced."""
    kept: Any = {}
    with contextlib.suppress(InputError):
        kept = files.read_json(path)
    files.write_json(path, {**(kept if isinstance(kept, dict) else {}), **results})


TASKS: dict[str, Callable[[Subject, Settings], Numbers]] = {"perplexity": _perplexity}
"""Every task by its name on the command line."""

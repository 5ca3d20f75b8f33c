"""What a person sees: progress and notes go to stderr, results to stdout.

A program reading stdout (`--json`, or the text of `generate`) never meets a progress bar there.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuppence.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@lru_cache(maxsize=1)
def console() -> Console:
    """The console on stderr. `rich` is imported on first use: `--help` need not pay for it."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """One line for a person, on stderr."""
    console().print(message, markup=False)


def warn(message: str) -> None:
    """One line that a person should not miss, on stderr."""
    console().print(f"warning: {message}", style="yellow", markup=False)


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "document"), counted(1200, "document")
        ('1 document', '1,200 documents')
    """
    return f"{count:,} {noun}" + "s" * (count != 1)


def read_stdin() -> str:
    """All of stdin as text.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise InputError("stdin is not UTF-8", "pipe a text, not a binary file") from error


def emit_json(value: Any) -> None:
    """One JSON document on stdout. Non-finite numbers are written as null: NaN is not JSON."""
    sys.stdout.write(json.dumps(_finite(value), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@contextlib.contextmanager
def progress(unit: str = "", *, transient: bool = True) -> Iterator[Progress]:
    """A progress bar with amount, speed and time to go; silent where stderr is no terminal and no notebook.

    Args:
        unit: "bytes" shows sizes and rates in bytes; anything else is counted and shown by that name.

    Example:
        >>> with progress("documents") as bar:
        ...     task = bar.add_task("reading", total=3)
        ...     for _ in range(3):
        ...         bar.advance(task)
    """
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amount: list[ProgressColumn] = (
        [DownloadColumn(binary_units=False), TransferSpeedColumn()]
        if unit == "bytes"
        else [MofNCompleteColumn(), TextColumn(unit)]
    )
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        *amount,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    if console().is_jupyter:
        from tuppence.core.notebook import NotebookProgress

        shown: Progress = NotebookProgress(*columns)
    else:
        shown = Progress(*columns, console=console(), transient=transient, disable=not sys.stderr.isatty())
    with shown as bar:
        yield bar

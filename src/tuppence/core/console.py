"""What a person sees: progress and notes go to stderr, results to stdout.

A program reading stdout (`--json`, or the text of `generate`) never meets a progress bar there.

Texts of models, labels and names of files come from others, and a terminal obeys control characters: a text could
rewrite the line above or the clipboard. So control characters are shown as escapes (`\\x1b`) on a terminal, and in
notes, warnings and errors everywhere. What goes to a file or a pipe through `out` stays as it is.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuppence.core.errors import InputError
from tuppence.core.numbers import finite_or_none
from tuppence.core.streams import Messages

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


_shown_as: dict[str, str] = {}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@lru_cache(maxsize=1)
def console() -> Console:
    """The console on stderr. `rich` is imported on first use: `--help` need not pay for it."""
    from rich.console import Console

    return Console(file=Messages(), highlight=False, soft_wrap=True)  # type: ignore[arg-type]  # it asks for IO[str]


def note(message: str, *, lines: bool = False) -> None:
    """One line for a person, on stderr.

    Args:
        lines: the message is a text of several lines.
    """
    message = with_names(message)
    console().print(visible(message) if lines else one_line(message), markup=False)


def warn(message: str) -> None:
    """One line that a person should not miss, on stderr."""
    console().print(f"warning: {one_line(with_names(message))}", style="yellow", markup=False)


def show_as(path: str, name: str) -> None:
    """Lets messages of this process call a path by another name, such as the URL that it is a copy of."""
    _shown_as[path] = name


def with_names(text: str) -> str:
    """A message with every path that `show_as` was told of under its other name."""
    for path, name in _shown_as.items():
        text = text.replace(path, name)
    return text


def out(text: str = "", end: str = "\n") -> None:
    """A result, on stdout at once: as it is, or with visible control characters where stdout is a terminal."""
    text += end
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def visible(text: str) -> str:
    """A text with its control characters as escapes, except the ends of lines and tabs.

    Example:
        >>> visible("two\\nlines, \\x1b[31mred")
        'two\\nlines, \\\\x1b[31mred'
    """
    return _CONTROL.sub(_escape, text)


def one_line(text: str) -> str:
    """A text on one line: ends of lines, tabs, and marks that turn the direction of writing are escapes as well.

    Example:
        >>> one_line("no-such\\nerror: forged")
        'no-such\\\\nerror: forged'
    """
    return _NOT_IN_A_LINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "document"), counted(1200, "document")
        ('1 document', '1,200 documents')
    """
    return f"{count:,} {noun}" + "s" * (count != 1)


def opening(text: str, words: int) -> str:
    """The first words of a text on one line, for a command that a person may type.

    Example:
        >>> opening("One morning\\n\\nMara went out.", words=3)
        'One morning Mara'
    """
    return " ".join(text.split()[:words])


def read_stdin() -> str:
    """All of stdin as text, without a byte-order mark.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("stdin is not UTF-8", "pipe a text, not a binary file") from error
    except OSError as error:  # a folder, or a terminal that has gone
        raise InputError(f"cannot read stdin: {error.strerror}", "pipe a text") from error


def read_line(prompt: str = "> ") -> str | None:
    """The next line of stdin without its end; None where there is none.

    A person sees the prompt, and can edit the line where Python has readline. Nobody else sees it: stdout may be a
    file.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        InputError: stdin cannot be read, or is no text in this locale.
    """
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  `input` uses it once it is imported
        if not sys.stdout.isatty():
            sys.stderr.write(prompt)
            sys.stderr.flush()
            prompt = ""
    else:
        prompt = ""
    try:
        line = input(prompt)
        line.encode()  # some locales hand on bytes that are no text
    except EOFError:
        return None
    except UnicodeError as error:
        raise InputError("a line of stdin is not UTF-8", "type it in UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot read stdin: {error.strerror}", "pipe a text") from error
    return line.removeprefix("\ufeff").removesuffix("\r")  # a byte-order mark of a piped file


def emit_json(value: Any) -> None:
    """One JSON document on stdout. Non-finite numbers are written as null: NaN is not JSON."""
    sys.stdout.write(as_json(value, indent=2) + "\n")
    sys.stdout.flush()


def as_json(value: Any, indent: int | None = None) -> str:
    """`value` as JSON for stdout: in ASCII where stdout could not write, or a terminal should not see, a character."""
    text = json.dumps(finite_or_none(value), indent=indent, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
        plain = not sys.stdout.isatty() or visible(text) == text
    except UnicodeEncodeError:
        plain = False
    return text if plain else json.dumps(finite_or_none(value), indent=indent)


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

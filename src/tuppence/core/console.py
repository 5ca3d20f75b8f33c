"""Output for people: progress and notes go to stderr, results go to stdout.

A program can parse stdout (`--json`, or the text of `generate`), because no progress bar is written there.

The texts of models, labels and file names are untrusted, and a terminal executes control characters: a text could
change the line above or the clipboard. So control characters are shown as escapes (`\\x1b`) on a terminal, and in all
notes, warnings and errors. `out` writes a text unchanged to a file or a pipe.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuppence.core.encodings import STDIN, not_utf8, refuse_other_unicode
from tuppence.core.errors import InputError
from tuppence.core.numbers import finite_or_none
from tuppence.core.streams import Messages

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


PROMPT = "> "
WARNING = "warning: "

_shown_as: dict[str, str] = {}
_listener: Callable[[str], object] | None = None

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@lru_cache(maxsize=1)
def console() -> Console:
    """Returns the console on stderr. `rich` is imported on first use, so that `--help` is fast."""
    from rich.console import Console

    return Console(file=Messages(), highlight=False, soft_wrap=True)  # type: ignore[arg-type]  # it asks for IO[str]


def note(message: str, *, lines: bool = False) -> None:
    """Prints a message on stderr.

    Args:
        lines: whether the message has several lines.
    """
    message = with_names(message)
    _print(visible(message) if lines else one_line(message))


def warn(message: str) -> None:
    """Prints a warning of one line on stderr."""
    _print(f"{WARNING}{one_line(with_names(message))}", style="yellow")


def _print(text: str, style: str | None = None) -> None:
    if _listener is not None:
        _listener(text)
    else:
        console().print(text, style=style, markup=False)


def tell(listener: Callable[[str], object] | None) -> None:
    """Gives all further notes and warnings to a function instead of stderr, as text; None restores stderr.

    A notebook shows stderr in red, and rich's output as HTML.
    """
    global _listener
    _listener = listener


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Keeps the notes of the block in a list instead of printing them. Warnings are also printed as before.

    Example:
        >>> with listening() as heard:
        ...     note("training")
        >>> heard
        ['training']
    """
    heard: list[str] = []
    before = _listener

    def keep(text: str) -> None:
        heard.append(text)
        if text.startswith(WARNING):
            tell(before)
            _print(text, style="yellow")
            tell(keep)

    tell(keep)
    try:
        yield heard
    finally:
        tell(before)


def show_as(path: str, name: str) -> None:
    """Replaces a path by another name in all messages of this process, for example a copy by its URL."""
    _shown_as[path] = name


def with_names(text: str) -> str:
    """Returns a message in which every path that was given to `show_as` is replaced by its name."""
    for path, name in _shown_as.items():
        text = text.replace(path, name)
    return text


def out(text: str = "", end: str = "\n") -> None:
    """Writes a result to stdout and flushes it. On a terminal, control characters are shown as escapes.

    Paths that have another name (`show_as`) are written by that name.
    """
    text = with_names(text) + end
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def visible(text: str) -> str:
    """Returns a text with its control characters as escapes, except newlines and tabs.

    Example:
        >>> visible("two\\nlines, \\x1b[31mred")
        'two\\nlines, \\\\x1b[31mred'
    """
    return _CONTROL.sub(_escape, text)


def one_line(text: str) -> str:
    """Returns a text on one line: newlines, tabs and marks of the writing direction become escapes too.

    Example:
        >>> one_line("no-such\\nerror: forged")
        'no-such\\\\nerror: forged'
    """
    return _NOT_IN_A_LINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def counted(count: int, noun: str) -> str:
    """Returns a number with its noun, which is plural unless the number is 1.

    Example:
        >>> counted(1, "document"), counted(1200, "document")
        ('1 document', '1,200 documents')
    """
    return f"{count:,} {noun}" + "s" * (count != 1)


def opening(text: str, words: int) -> str:
    """Returns the first words of a text on one line, for an example command.

    Example:
        >>> opening("One morning\\n\\nMara went out.", words=3)
        'One morning Mara'
    """
    return " ".join(text.split()[:words])


def read_stdin() -> str:
    """Reads stdin as text, without a byte-order mark.

    Raises:
        InputError: stdin is not UTF-8, or cannot be read.
    """
    try:
        content = sys.stdin.buffer.read()
        refuse_other_unicode(STDIN, content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(STDIN, f"stdin is not UTF-8 (byte {error.start + 1:,})") from error
    except OSError as error:  # a folder, or a closed terminal
        raise InputError(f"cannot read stdin: {error.strerror}", "pipe a text") from error


def read_line() -> str | None:
    """Reads the next line of stdin without its newline; returns None at the end.

    The prompt is shown only if stdin is a terminal, and on stderr if stdout is not a terminal. The line can be edited
    if Python has readline.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        InputError: stdin cannot be read or decoded.
    """
    prompt = ""
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  `input` uses it once it is imported
        if sys.stdout.isatty():
            prompt = PROMPT
        else:
            sys.stderr.write(PROMPT)
            sys.stderr.flush()
    try:
        line = input(prompt)
        line.encode()  # some locales pass bytes that are not valid text
    except EOFError:
        return None
    except UnicodeError as error:
        raise InputError("a line of stdin is not UTF-8", "type it in UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot read stdin: {error.strerror}", "pipe a text") from error
    return line.removeprefix("\ufeff").removesuffix("\r")  # a byte-order mark of a piped file


def confirm(question: str) -> bool:
    """Asks a question on the terminal, and returns whether the answer is yes. Without an answer it is no.

    Raises:
        InputError: stdin is not a terminal, so nobody can answer.
        KeyboardInterrupt: Ctrl-C.
    """
    if not sys.stdin.isatty():
        raise InputError("this needs a confirmation, and stdin is not a terminal", "add --yes if you are sure")
    sys.stderr.write(f"{one_line(with_names(question))} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def emit_json(value: Any) -> None:
    """Writes one JSON document to stdout. Non-finite numbers become null, because JSON has no NaN.

    Paths that have another name (`show_as`) are written by that name.
    """
    sys.stdout.write(as_json(_with_names_inside(value), indent=2) + "\n")
    sys.stdout.flush()


def _with_names_inside(value: Any) -> Any:
    """Applies `with_names` to every text in a JSON value."""
    if not _shown_as:
        return value
    if isinstance(value, str):
        return with_names(value)
    if isinstance(value, dict):
        return {key: _with_names_inside(inner) for key, inner in value.items()}
    return [_with_names_inside(inner) for inner in value] if isinstance(value, list | tuple) else value


def as_json(value: Any, indent: int | None = None) -> str:
    """Returns `value` as JSON for stdout.

    The JSON is ASCII if stdout cannot encode a character, or if stdout is a terminal and a text has control characters.
    """
    text = json.dumps(finite_or_none(value), indent=indent, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
        plain = not sys.stdout.isatty() or visible(text) == text
    except UnicodeEncodeError:
        plain = False
    return text if plain else json.dumps(finite_or_none(value), indent=indent)


@contextlib.contextmanager
def progress(unit: str = "") -> Iterator[Progress]:
    """Shows a progress bar with amount, speed and remaining time. Shows nothing outside terminals and notebooks.

    Args:
        unit: "bytes" shows sizes and rates in bytes; any other unit is shown as a count with this name.

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
        shown = Progress(*columns, console=console(), transient=True, disable=not sys.stderr.isatty())
    with shown as bar:
        yield bar

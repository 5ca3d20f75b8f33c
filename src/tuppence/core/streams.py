"""Prepares stdin, stdout and stderr, which may be closed, full, or in an encoding other than UTF-8.

`cli.main` calls `prepare_streams` first and `finish_streams` last; `core.console` writes through `Messages`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO

STDOUT = "<stdout>"
"""The file name in the errors of writing to stdout."""

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare_streams() -> None:
    """Escapes characters that cannot be encoded, and opens closed streams on the null device.

    A character that is missing in the encoding of stdout or stderr is written as an escape (`\\xe9`). A closed stream
    (`>&-`) becomes the null device. Otherwise the next file that we open would get the number of the closed stream, and
    the prints of a library would go to that file.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the system gives the lowest free number, which is `number`
            os.set_inheritable(opened, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:  # not in tests and notebooks
        sys.stdout.flush()
        named = io.BufferedWriter(_Stdout(sys.stdout.fileno(), "wb", closefd=False))
        at_once = sys.stdout.line_buffering or sys.stdout.write_through
        sys.stdout = io.TextIOWrapper(named, encoding=sys.stdout.encoding, line_buffering=at_once)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Stdout(io.FileIO):
    """The descriptor of stdout. Its errors have the file name `STDOUT`."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            error.filename = STDOUT
            raise


def finish_streams() -> OSError | None:
    """Flushes stdout and stderr.

    Output that cannot be written is discarded, so that the interpreter does not try again when it exits.

    Returns:
        The error of stdout, or None. A reader that has closed the pipe (`tuppence … | head`) is not an error.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        return error
    except ValueError:  # closed by a library
        pass
    with contextlib.suppress(ValueError):
        try:
            sys.stderr.flush()
        except OSError:
            discard(sys.stderr)
    return None


def discard(stream: TextIO) -> None:
    """Redirects a stream that has a descriptor to the null device, so that its buffered output is lost."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, number)
        os.close(null)


class Messages(io.TextIOBase):
    """stderr for progress and notes. Errors of writing are ignored: the messages are lost, and the program continues.

    A full log or a killed `tee` must not end a run that has trained for hours.
    """

    @property
    def _stream(self) -> TextIO:
        # while rich shows a live line, it replaces sys.stderr by a proxy, which would write to this object again
        stream: TextIO = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
        return stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError, AttributeError):  # None under pythonw
            discard(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError, AttributeError):  # None under pythonw
            discard(self._stream)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

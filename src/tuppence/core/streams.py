"""Standard input, output and error in whatever state a shell hands them over: closed, full, or in another encoding.

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
    """Lets every text be written, and gives closed streams a place.

    A character that the encoding of stdout or stderr does not have is written as an escape (`\\xe9`). A stream that
    was closed (`>&-`) becomes the null device: else the next file we open would get its number, and whatever a library
    prints would land in that file.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(opened, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:  # neither a test's nor a notebook's
        sys.stdout.flush()
        named = io.BufferedWriter(_Stdout(sys.stdout.fileno(), "wb", closefd=False))
        at_once = sys.stdout.line_buffering or sys.stdout.write_through
        sys.stdout = io.TextIOWrapper(named, encoding=sys.stdout.encoding, line_buffering=at_once)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Stdout(io.FileIO):
    """The descriptor of stdout, whose errors say which file they are of."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            error.filename = STDOUT
            raise


def finish_streams() -> OSError | None:
    """Writes what stdout still holds.

    Returns:
        Why that failed; None where all was written, and where the reader has left (`tuppence … | head`), which is no
        error. What cannot be written is thrown away, so that the interpreter does not try again when it exits.
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
    """Sends what is still to be written to a stream to the null device, where the stream has a descriptor."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, number)
        os.close(null)


class Messages(io.TextIOBase):
    """stderr for progress and notes. Once it cannot be written, they are lost, and the work goes on.

    A log that is full, or a `tee` that was killed, must not end a run that has trained for hours.
    """

    @property
    def _stream(self) -> TextIO:
        # while rich shows a live line, sys.stderr is its own and writes to the console, that is here
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

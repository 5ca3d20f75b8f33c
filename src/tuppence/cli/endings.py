"""How a command line ends: what an exception says to a person, and what it does to the exit code.

An error of the system about a file (permissions, a name that is too long, a folder where a file was expected) is a
person's situation wherever in the program it comes up. It is translated here, once, in the system's own words.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuppence.core.console import one_line, with_names
from tuppence.core.errors import InputError, TuppenceError
from tuppence.core.files import explain_os_error
from tuppence.core.streams import STDOUT, Messages, discard

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of a disk or of the system's limits, also where they name no file."""


def refuse_undecodable(arguments: Sequence[str]) -> None:
    """Refuses arguments whose bytes are no text in this locale: they could be neither encoded nor written down.

    Raises:
        InputError: with the first one.
    """
    for word in arguments:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            encoding = sys.getfilesystemencoding().upper()
            shown = os.fsencode(word).decode(errors="backslashreplace")
            if encoding == "UTF-8":
                raise InputError(
                    f"the argument {shown} is not UTF-8", "type it in UTF-8, or rename the file"
                ) from error
            raise InputError(
                f"the argument {shown} cannot be read in this locale, whose encoding is {encoding}",
                "choose a locale of UTF-8: export LC_ALL=C.UTF-8",
            ) from error


def explain(error: Exception, arguments: Sequence[str]) -> TuppenceError | None:
    """The error for a person behind an exception; None where it is a defect of ours."""
    if not isinstance(error, OSError) or error.errno is None:
        return None
    if error.filename == STDOUT:
        discard(sys.stdout)
        return unwritable_stdout(error)
    if isinstance(error.filename, str | bytes):
        name = os.fsdecode(error.filename)
        return explain_os_error(error, name, writing=_is_output(Path(name), arguments))
    if error.errno in _OF_THE_MACHINE:
        return explain_os_error(error, writing=error.errno in (errno.ENOSPC, errno.EDQUOT))
    return None


def unwritable_stdout(error: OSError) -> InputError:
    """The error for a person whose stdout takes nothing more."""
    return InputError(f"cannot write to stdout: {error.strerror}", "send the output to another place")


def complain(message: str, hint: str, code: int) -> int:
    """Prints an error on one line and its hint on the next; returns the exit code."""
    messages = Messages()
    messages.write(f"error: {one_line(with_names(message))}\n")
    if hint:
        messages.write(f"  hint: {one_line(with_names(hint))}\n")
    return code


def lost_rank(error: Exception) -> int | None:
    """The number of this rank where its error is only that another rank has ended; None for every other error.

    Of several ranks (torchrun), the one that fails prints its error and leaves. The others notice in their next
    exchange; what they would print says nothing about the cause.
    """
    if int_or(os.environ.get("WORLD_SIZE"), 1) < 2 or not isinstance(error, RuntimeError):
        return None
    distributed = sys.modules.get("torch.distributed")
    known = getattr(distributed, "DistError", ())
    gone = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused")
    if isinstance(error, known) or ("gloo" in str(error) and any(words in str(error) for words in gone)):
        return int_or(os.environ.get("RANK"), 0)
    return None


def int_or(text: str | None, default: int) -> int:
    """A whole number in an environment variable, or `default`."""
    try:
        return int(text or "")
    except ValueError:
        return default


def _is_output(path: Path, arguments: Sequence[str]) -> bool:
    """Whether a path is what `--out` names, or lies inside or above it."""
    place = path.absolute()
    outputs = [Path(value).absolute() for value in _values_of("--out", arguments)]
    return any(place.is_relative_to(out) or out.is_relative_to(place) for out in outputs)


def _values_of(flag: str, arguments: Sequence[str]) -> Iterator[str]:
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == flag:
            yield after
        elif word.startswith(f"{flag}="):
            yield word.partition("=")[2]

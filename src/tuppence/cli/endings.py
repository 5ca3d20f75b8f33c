"""Converts exceptions to error messages and exit codes at the end of a command line.

System errors about files (permissions, a name that is too long, a folder instead of a file) can be raised anywhere in
the program, and the user can fix them. They are translated here, with the system's own description.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from tuppence.core.console import one_line, visible, with_names
from tuppence.core.errors import InputError, TuppenceError
from tuppence.core.files import explain_os_error
from tuppence.core.streams import STDOUT, Messages, discard

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of a disk or of the system's limits. They are translated even if they name no file."""


def show_traceback() -> int:
    """Writes the traceback of the current exception to stderr, without secrets, and returns the exit code 1.

    Exceptions of libraries quote addresses with passwords and signed URLs; people paste tracebacks in public places.
    """
    from tuppence.storage import redacted

    Messages().write(visible(redacted(traceback.format_exc())))
    return 1


def refuse_undecodable(arguments: Sequence[str]) -> None:
    """Checks that the bytes of all arguments are valid text in this locale, so that they can be encoded and recorded.

    Raises:
        InputError: an argument is not valid; the message has the first one.
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


def explain(error: Exception, outputs: Sequence[Path]) -> TuppenceError | None:
    """Translates an exception to an error for the user; returns None if it is a bug in tuppence.

    Args:
        outputs: the paths that the verb writes to.
    """
    if not isinstance(error, OSError) or error.errno is None:
        return None
    if error.filename == STDOUT:
        discard(sys.stdout)
        return unwritable_stdout(error)
    if isinstance(error.filename, str | bytes):
        name = os.fsdecode(error.filename)
        return explain_os_error(error, name, writing=_is_output(Path(name), outputs))
    if error.errno in _OF_THE_MACHINE:
        return explain_os_error(error, writing=error.errno in (errno.ENOSPC, errno.EDQUOT))
    return None


def unwritable_stdout(error: OSError) -> InputError:
    """Returns the error for a stdout that cannot be written."""
    return InputError(f"cannot write to stdout: {error.strerror}", "send the output to another place")


def complain(message: str, hint: str, code: int) -> int:
    """Prints an error on one line and its hint on the next; returns the exit code."""
    messages = Messages()
    messages.write(f"error: {one_line(with_names(message))}\n")
    if hint:
        messages.write(f"  hint: {one_line(with_names(hint))}\n")
    return code


def lost_rank(error: Exception) -> int | None:
    """Returns the number of this rank if the error only means that another rank has ended; None for any other error.

    With several ranks (torchrun), the failing rank prints its error and exits. The next collective operation of the
    other ranks then fails with an error that does not show the cause.
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
    """Parses the integer in an environment variable; returns `default` if it is not one."""
    try:
        return int(text or "")
    except ValueError:
        return default


def _is_output(path: Path, outputs: Sequence[Path]) -> bool:
    """Whether a path is one of the outputs, or inside or above one."""
    place = path.absolute()
    return any(place.is_relative_to(out.absolute()) or out.absolute().is_relative_to(place) for out in outputs)

"""The exceptions of all packages. Each has a message, a hint what to do, and an exit code.

`tuppence.cli` prints `message` on one line and `hint` on the next. Any other exception that reaches the command line is
a bug in tuppence (exit 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TuppenceError(Exception):
    """An error that the user can fix.

    Args:
        message: one line that says what is wrong, with the name of the file, row, key or tensor.
        hint: one line that says what to do about it.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[TuppenceError], tuple[str, str]]:
        # keeps message and hint when a worker process sends the error to its parent
        return type(self), (self.message, self.hint)


class InputError(TuppenceError):
    """A file, flag, key or text from the user cannot be used."""


@contextmanager
def naming(subject: object) -> Iterator[None]:
    """Puts the name of what is read, such as a file, before the message of an InputError of the block.

    Example:
        >>> with naming("config.json"):
        ...     raise InputError("n_layer is missing")
        Traceback (most recent call last):
            ...
        tuppence.core.errors.InputError: config.json: n_layer is missing
    """
    try:
        yield
    except InputError as error:
        raise type(error)(f"{subject}: {error.message}", error.hint) from error


class CorruptFileError(InputError):
    """A file is incomplete or damaged, or does not match its checksum."""


class MissingExtraError(TuppenceError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}", f"pip install 'tuppence[{extra}]'")
        self._arguments = (package, extra, purpose)

    def __reduce__(self) -> tuple[type[TuppenceError], tuple[str, ...]]:  # type: ignore[override]
        return type(self), self._arguments


class OutOfSpaceError(TuppenceError):
    """The disk is full. All files written before are intact."""


class OutOfMemoryError(TuppenceError):
    """The memory of the device or of the machine is not enough. All files saved before are intact."""


class OtherRankError(TuppenceError):
    """Rank 0 ended the run with an error, and has printed the error."""


class NonFiniteError(TuppenceError):
    """A loss or a weight is NaN or infinite; the last good checkpoint is untouched."""


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP ends the work.

    It is a BaseException, like KeyboardInterrupt, so that no `except Exception` (torch.compile has some) catches it.

    Attributes:
        at_once: whether a second signal arrived, so that nothing more was saved.
    """

    def __init__(self, signal_number: int, *, at_once: bool = False) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number, self.at_once = signal_number, at_once

    @property
    def exit_code(self) -> int:
        return 128 + self.signal_number

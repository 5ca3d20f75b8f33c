"""The one family of exceptions: each says what is wrong and what to do, and knows its exit code.

Every package raises these; `tuppence.cli` prints `message` on one line and `hint` on the next. Anything else that
reaches the command line is a defect of ours (exit 1).
"""

from __future__ import annotations

from typing import Any


class TuppenceError(Exception):
    """Something a person can act on.

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
        # worker processes hand their errors back whole: message and hint
        return type(self), (self.message, self.hint)


class InputError(TuppenceError):
    """A file, flag, key or text that we were given cannot be used."""


class CorruptFileError(InputError):
    """A file is torn, truncated, or not what its checksum says."""


class MissingExtraError(TuppenceError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}", f"pip install 'tuppence[{extra}]'")
        self._arguments = (package, extra, purpose)

    def __reduce__(self) -> tuple[type[TuppenceError], tuple[str, ...]]:  # type: ignore[override]
        return type(self), self._arguments


class OutOfSpaceError(TuppenceError):
    """The disk is full; everything written before is intact."""


class OutOfMemoryError(TuppenceError):
    """The memory of the device or of the machine is not enough; what was saved before is intact."""


class OtherRankError(TuppenceError):
    """Rank 0 ended the run by an error, and has printed it."""


class NonFiniteError(TuppenceError):
    """A loss or a weight is NaN or infinite; the last good checkpoint is untouched."""


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP ends the work.

    A BaseException, like KeyboardInterrupt, so that no `except Exception` on the way (torch.compile has some)
    swallows it.

    Attributes:
        summary: of the run that it ended, as the verb would have returned it; {} where there is none.
        at_once: whether the person asked a second time, and nothing more was saved.
    """

    def __init__(self, signal_number: int, *, at_once: bool = False) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number, self.at_once = signal_number, at_once
        self.summary: dict[str, Any] = {}

    @property
    def exit_code(self) -> int:
        return 128 + self.signal_number

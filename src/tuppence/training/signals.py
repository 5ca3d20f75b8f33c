"""SIGTERM and SIGINT: save, then leave.

The handler only sets a flag: the loop looks at it between steps, the evaluation between batches. Work that can be
thrown away (a first step, where torch compiles for a minute) runs inside `abandoning`, where a signal raises at once,
and so does a deadline. Nowhere else: an exception in the middle of an update would leave it half done.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from tuppence.core.errors import Interrupted

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class DeadlinePassed(BaseException):
    """The time allowed for `abandoning` is over. Not an Exception, so that nothing on the way swallows it."""


def signal_name(number: int) -> str:
    """Its name where the system has one.

    Example:
        >>> signal_name(15), signal_name(1234)
        ('SIGTERM', 'signal 1234')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class StopSignals:
    """A context that turns SIGTERM and SIGINT into `requested`.

    Attributes:
        requested: the number of the signal that asked us to stop, or None.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self._abandoning = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = number
        if self._abandoning:
            raise Interrupted(number)

    @contextlib.contextmanager
    def abandoning(self, *, on_signal: bool, seconds: float = float("inf")) -> Iterator[None]:
        """Runs work that may be thrown away half done.

        Args:
            on_signal: whether SIGTERM and SIGINT end it at once, or wait for its end.
            seconds: how long it may take,.

        Raises:
            Interrupted: `on_signal`, and a signal arrives inside or had arrived before.
            DeadlinePassed: it took too long.
        """
        if on_signal and self.requested is not None:
            raise Interrupted(self.requested)
        timed = seconds < _LONGEST_TIMER and hasattr(signal, "setitimer") and bool(self._previous)
        if timed:
            previous = signal.signal(signal.SIGALRM, _raise_deadline)
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
        self._abandoning = on_signal
        try:
            yield
        finally:
            self._abandoning = False
            if timed:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, previous)


_LONGEST_TIMER = 30 * 24 * 3600.0


def _raise_deadline(number: int, frame: FrameType | None) -> None:
    raise DeadlinePassed

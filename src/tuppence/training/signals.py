"""SIGTERM, SIGINT and SIGHUP: save, then exit. A second Ctrl-C exits at once.

The handler only sets a flag: the loop checks it between steps, the evaluation between batches. Work that can be
discarded (a step before its update) runs inside `abandoning`, where a signal or a deadline raises at once. They raise
nowhere else, because an exception in the middle of an update would leave it half done.

Not covered: SIGKILL, which a process cannot handle; files are complete or absent after it (`core.files`).
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from tuppence.core.errors import Interrupted

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
_SECOND_PRESS_SECONDS = 0.5
"""A terminal and a parent process can both deliver one Ctrl-C; only a signal after this time counts as a second one."""


class DeadlinePassed(BaseException):
    """The time allowed for `abandoning` is over. Not an Exception, so that no `except Exception` catches it."""


def signal_name(number: int) -> str:
    """The name of a signal if the system has one, else its number.

    Example:
        >>> signal_name(15), signal_name(1234)
        ('SIGTERM', 'signal 1234')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class StopSignals:
    """A context that stores a received signal in `requested`; it is re-entrant.

    Ignored signals stay ignored: SIGHUP under nohup, SIGINT in a script's background job. Outside the main thread no
    signal is handled.

    Attributes:
        requested: the number of the first signal received, or None.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self._requested_at = 0.0
        self._abandoning = False
        self._depth = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self._depth += 1
        if self._depth == 1 and threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            for number, handler in self._previous.items():
                signal.signal(number, handler)
            self._previous = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now, again = time.monotonic(), self.requested is not None
        if self.requested is None:
            self.requested, self._requested_at = number, now
        if self._abandoning:
            raise Interrupted(self.requested)
        if again and number == signal.SIGINT and now - self._requested_at > _SECOND_PRESS_SECONDS:
            raise Interrupted(number, at_once=True)

    @contextlib.contextmanager
    def abandoning(self, *, on_signal: bool, seconds: float = float("inf")) -> Iterator[None]:
        """Runs work that can be discarded before it is complete.

        Args:
            on_signal: True: a signal ends the work at once. False: the signal takes effect after the work.
            seconds: longest time that the work can take.

        Raises:
            Interrupted: `on_signal` is True, and a signal arrives during the work or arrived before it.
            DeadlinePassed: the work took longer than `seconds`.
        """
        timed = seconds < _LONGEST_TIMER and hasattr(signal, "setitimer") and bool(self._previous)
        if timed:
            previous = signal.signal(signal.SIGALRM, _raise_deadline)
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
        try:
            self._abandoning = on_signal
            if on_signal and self.requested is not None:
                raise Interrupted(self.requested)
            yield
        finally:
            self._abandoning = False
            if timed:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, previous)


_LONGEST_TIMER = 30 * 24 * 3600.0


def _raise_deadline(number: int, frame: FrameType | None) -> None:
    raise DeadlinePassed

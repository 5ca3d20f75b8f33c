"""Ctrl-C in a program that runs one command: none is lost.

Python drops an exception that a signal handler raises inside a destructor or a weakref callback, and so does some C
code. Imports run both: of 60 Ctrl-C in the first seconds of `generate`, two were lost. `cli.main` therefore runs a
command inside `repeat_lost_interrupts`. An interrupt that is not lost is not repeated: code that cleans up is not
interrupted again.

Not covered: training, where the handler of `training.signals` raises nothing.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

AGAIN_SECONDS = 0.5


@contextlib.contextmanager
def repeat_lost_interrupts() -> Iterator[None]:
    """Raises KeyboardInterrupt every `AGAIN_SECONDS` after Ctrl-C, until it ends the block or `interrupt_taken`.

    Waits while `except` and `finally` clauses handle a KeyboardInterrupt that was not lost.

    Does nothing outside the main thread, on Windows, and where SIGINT is ignored or somebody else handles it.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not (in_main_thread and usual and hasattr(signal, "setitimer")):
        yield
        return
    hook, alarm = sys.unraisablehook, signal.signal(signal.SIGALRM, _again)
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else hook(lost)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupt_taken()
        signal.signal(signal.SIGALRM, alarm)
        sys.unraisablehook = hook


def interrupt_taken() -> None:
    """Says that a KeyboardInterrupt has arrived, and that the command goes on."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: FrameType | None) -> Any:
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise KeyboardInterrupt


def _again(number: int, frame: FrameType | None) -> Any:
    if _is_handled():
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        return
    signal.raise_signal(signal.SIGINT)  # also to a handler that was installed since


def _is_handled() -> bool:
    """Whether the main thread handles a KeyboardInterrupt, or an exception that it caused: in `except` or `finally`."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None

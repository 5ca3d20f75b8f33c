"""Ctrl-C ends a command, also where Python drops the exception of a signal handler."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tuppence.core.interrupts import AGAIN_SECONDS, interrupt_taken, repeat_lost_interrupts

PROGRAM = """
import signal, time
from tuppence.core.interrupts import repeat_lost_interrupts
class Closing:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)  # Python prints and drops what the handler raises here
try:
    with repeat_lost_interrupts():
        Closing()
        print("lost", flush=True)
        time.sleep(20)
        print("never")
except KeyboardInterrupt:
    print("taken")
"""


def test_an_interrupt_lost_in_a_destructor_arrives_later_without_a_word_on_stderr() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=15)
    assert (answer.stdout.split(), answer.stderr) == (["lost", "taken"], "")


def test_code_that_cleans_up_after_an_interrupt_is_not_interrupted_again() -> None:
    steps = []

    def clean_up() -> None:
        try:
            raise ValueError("a second exception")
        except ValueError:
            until = time.monotonic() + 1.5 * AGAIN_SECONDS
            while time.monotonic() < until:
                time.sleep(0.05)
        steps.append("inner")

    def work() -> None:
        with repeat_lost_interrupts():
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                clean_up()
                steps.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["inner", "outer"]


def test_an_interrupt_that_was_taken_is_not_repeated() -> None:
    with repeat_lost_interrupts():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        interrupt_taken()
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_handlers_and_timer_are_those_of_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook

    def interrupted() -> None:
        with repeat_lost_interrupts():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_handler_of_somebody_else_stays() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with repeat_lost_interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

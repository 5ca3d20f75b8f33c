"""Signals set a flag, or interrupt work that can be discarded; so do deadlines."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tuppence.core.errors import Interrupted
from tuppence.training.signals import DeadlinePassed, StopSignals


def test_a_signal_is_remembered_and_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.requested == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_does_not_interrupt_an_update() -> None:
    with StopSignals() as signals:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert signals.requested == signal.SIGINT


def test_a_signal_interrupts_work_that_can_be_discarded() -> None:
    with StopSignals() as signals, pytest.raises(Interrupted) as caught, signals.abandoning(on_signal=True):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert caught.value.exit_code == 143


def test_a_signal_that_came_before_prevents_the_work() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted), signals.abandoning(on_signal=True):
            pytest.fail("must not run")


def test_a_deadline_interrupts_work_and_its_timer_is_stopped() -> None:
    with StopSignals() as signals:
        started = time.monotonic()
        with pytest.raises(DeadlinePassed), signals.abandoning(on_signal=False, seconds=0.2):
            time.sleep(10)
        assert time.monotonic() - started < 5
        with signals.abandoning(on_signal=False, seconds=0.2):
            pass
        time.sleep(0.3)
        assert signals.requested is None


def test_no_except_exception_catches_a_signal_or_a_deadline() -> None:
    assert not issubclass(DeadlinePassed, Exception)
    assert not issubclass(Interrupted, Exception)

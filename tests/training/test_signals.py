"""Signals set a flag, or cut short what can be thrown away; deadlines do too."""

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


def test_impatience_does_not_cut_an_update_in_half() -> None:
    with StopSignals() as signals:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert signals.requested == signal.SIGINT


def test_work_that_can_be_thrown_away_is_cut_by_a_signal() -> None:
    with StopSignals() as signals, pytest.raises(Interrupted) as caught, signals.abandoning(on_signal=True):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert caught.value.exit_code == 143


def test_a_signal_that_came_before_prevents_the_work() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted), signals.abandoning(on_signal=True):
            pytest.fail("must not run")


def test_a_deadline_cuts_work_short_and_leaves_no_timer_behind() -> None:
    with StopSignals() as signals:
        started = time.monotonic()
        with pytest.raises(DeadlinePassed), signals.abandoning(on_signal=False, seconds=0.2):
            time.sleep(10)
        assert time.monotonic() - started < 5
        with signals.abandoning(on_signal=False, seconds=0.2):
            pass
        time.sleep(0.3)
        assert signals.requested is None


def test_neither_can_be_swallowed_by_a_handler_of_exceptions() -> None:
    assert not issubclass(DeadlinePassed, Exception)
    assert not issubclass(Interrupted, Exception)

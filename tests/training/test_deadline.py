"""A run ends early enough to save."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.cost.ledger import GUARD_SECONDS, KILLED_SECONDS, Ledger, Rate
from tuppence.cost.limits import MARGIN_SECONDS, Limits
from tuppence.training.deadline import ASSUMED_BYTES_PER_SECOND, Deadline
from tuppence.training.throughput import Meter


class Time:
    """A clock that tests set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def deadline(limits: Limits, clock: Time, *, step_seconds: float | None = None, path: Path | None = None) -> Deadline:
    meter = Meter(1.0, None, 1)
    if step_seconds is not None:
        meter.record(step_seconds, 1)
    return Deadline(limits, Ledger(path, Rate(limits.rate_usd_per_hour, "test"), clock=clock), meter)


def test_without_limits_there_is_no_end() -> None:
    assert deadline(Limits(), Time()).reached(10**9) == (None, 0.0)
    assert deadline(Limits(), Time()).seconds_left() == float("inf")


def test_steps_alone_make_progress_a_function_of_the_step() -> None:
    clock = Time()
    one = deadline(Limits(max_steps=8), clock, step_seconds=3.0)
    clock.now = 1e6
    assert one.reached(2) == (None, 0.25)
    assert one.reached(8) == ("reached its limit of 8 steps", 1.0)


def test_time_for_a_step_an_evaluation_and_a_save_is_reserved() -> None:
    clock = Time()
    one = deadline(Limits(max_seconds=100.0), clock, step_seconds=4.0)
    one.evaluation_seconds, one.save_seconds = 10.0, 2.0
    held_back = 1.5 * 4.0 + 1.25 * 10.0 + 2.5 * 2.0 + MARGIN_SECONDS
    clock.now = 100.0 - held_back - 0.01
    assert one.reached(0)[0] is None
    clock.now = 100.0 - held_back
    assert one.reached(0)[0] == "reached its limit of 1.66667 minutes"
    assert one.seconds_left() == pytest.approx(held_back - 2.5 * 2.0 - GUARD_SECONDS)
    assert one.seconds_left(score=True) == pytest.approx(held_back - 1.25 * 10.0 - 2.5 * 2.0 - GUARD_SECONDS)


def test_time_to_copy_a_remote_run_is_reserved() -> None:
    clock, limits = Time(), Limits(max_seconds=100.0)
    asked: list[int] = []

    def upload_seconds(size: int) -> float:
        asked.append(size)
        return 30.0

    ledger = Ledger(None, Rate(), clock=clock)
    local, remote = (
        Deadline(limits, ledger, Meter(1.0, None, 1), state_bytes=12, result_bytes=4, upload_seconds=seconds)
        for seconds in (None, upload_seconds)
    )
    assert local.seconds_left() - remote.seconds_left() == pytest.approx(30.0)
    clock.now = 100.0 - local.ending_seconds() - MARGIN_SECONDS - 1.0
    assert local.reached(0)[0] is None
    assert remote.reached(0)[0] is not None
    assert set(asked) == {16}


def test_earlier_attempts_count_in_seconds_and_in_dollars(tmp_path: Path) -> None:
    clock, limits = Time(), Limits(budget_usd=10.0, rate_usd_per_hour=3600.0)  # a dollar a second
    first = Ledger(tmp_path / "ledger.jsonl", Rate(3600.0, "test"), clock=clock)
    clock.now = 6.0
    first.end("stopped")
    one = deadline(limits, clock, path=tmp_path / "ledger.jsonl")
    one.elapsed_before = 6.0
    clock.now = 7.0
    assert one.elapsed() == 7.0
    assert one.seconds_left() == pytest.approx(3.0 - GUARD_SECONDS)
    clock.now = 9.0
    assert one.reached(1)[0] == "reached its budget of $10.00"


def test_time_for_measuring_the_result_is_reserved_too() -> None:
    clock = Time()
    limits = Limits(max_seconds=100.0)
    one = Deadline(limits, Ledger(None, Rate(), clock=clock), Meter(1.0, None, 1), closing=2.0)
    one.evaluation_seconds = 10.0
    clock.now = 100.0 - 1.25 * 30.0 - MARGIN_SECONDS - 0.01
    assert one.reached(0)[0] is None
    clock.now += 0.02
    assert one.reached(0)[0] is not None


def test_before_the_first_evaluation_its_time_is_guessed_from_the_speed_of_training() -> None:
    clock, limits, meter = Time(), Limits(max_seconds=100.0), Meter(1.0, None, 1)
    meter.record(1.0, 50)
    one = Deadline(limits, Ledger(None, Rate(), clock=clock), meter, evaluation_tokens=1000)
    clock.now = 100.0 - 1.5 - 1.25 * 10.0 - MARGIN_SECONDS + 0.01
    assert one.reached(0)[0] is not None
    one.evaluation_seconds = 5.0  # measured: the estimate is no longer used
    assert one.reached(0)[0] is None


def test_saving_and_the_result_are_estimated_from_bytes_before_they_were_measured() -> None:
    clock, limits = Time(), Limits(max_seconds=1000.0)
    state, result = 20 * ASSUMED_BYTES_PER_SECOND, 10 * ASSUMED_BYTES_PER_SECOND
    one = Deadline(
        limits, Ledger(None, Rate(), clock=clock), Meter(1.0, None, 1), state_bytes=state, result_bytes=result
    )
    assert one.ending_seconds() == pytest.approx(20 + 0.5 + 1.5 * 10)
    one.save_seconds = 80.3  # a disk four times slower
    assert one.ending_seconds() == pytest.approx(2 * 80.3 + 0.5 + 1.5 * 10 * 4)


def test_money_for_another_start_is_reserved_if_it_is_a_small_share_of_the_budget() -> None:
    def seconds_of_training(budget: float) -> float:
        clock = Time()
        limits = Limits(budget_usd=budget, rate_usd_per_hour=3600.0)
        ledger = Ledger(None, Rate(3600.0, "test"), budget, clock=clock)
        ledger.startup_seconds = 4.0
        one = Deadline(limits, ledger, Meter(1.0, None, 1))
        while one.reached(1)[0] is None:
            clock.now += 0.25
        return clock.now

    assert seconds_of_training(1000.0) == pytest.approx(1000 - MARGIN_SECONDS - 4 - KILLED_SECONDS, abs=0.25)
    assert seconds_of_training(100.0) == pytest.approx(100 - MARGIN_SECONDS, abs=0.25)


def test_the_remaining_time_is_that_of_the_first_limit() -> None:
    clock = Time()
    assert deadline(Limits(max_steps=10), clock, step_seconds=2.0).seconds_to_go(4) == pytest.approx(12)
    both = deadline(Limits(max_steps=10, max_seconds=5), clock, step_seconds=2.0)
    clock.now = 1.0
    assert both.seconds_to_go(4) == pytest.approx(4)
    assert deadline(Limits(), clock).seconds_to_go(4) is None

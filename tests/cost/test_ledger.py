"""The ledger sums the cost of all attempts, also of killed ones."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tuppence.core.errors import OutOfSpaceError
from tuppence.core.json_lines import read_json_lines
from tuppence.cost import ledger as ledgers
from tuppence.cost.billing import Billing
from tuppence.cost.ledger import GUARD_SECONDS, KILLED_SECONDS, SYNC_SECONDS, TICK_SECONDS, Ledger, Rate, read_attempts


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_dollars_are_seconds_times_the_rate_over_all_attempts(tmp_path: Path) -> None:
    path, rate, clock = tmp_path / "ledger.jsonl", Rate(3.6, "a price list"), Clock()
    first = Ledger(path, rate, budget_usd=1.0, clock=clock)
    clock.now = 100.0
    first.end("done")
    second = Ledger(path, rate, clock=clock)
    clock.now = 150.0
    assert second.attempt == 2
    assert second.dollars() == pytest.approx(0.150)
    second.end("done")
    assert [attempt.dollars for attempt in read_attempts(path)] == pytest.approx([0.1, 0.05])


def test_killed_attempt_is_charged_beyond_its_last_line(tmp_path: Path) -> None:
    path, clock = tmp_path / "ledger.jsonl", Clock()
    ledger = Ledger(path, Rate(3600.0, "test"), clock=clock)
    clock.now = TICK_SECONDS + 1
    ledger.tick()
    clock.now += TICK_SECONDS / 2
    ledger.tick()  # too early: no line
    with path.open("ab") as log:
        log.write(b'{"attempt": 1, "eve')  # the kill came while a line was written
    assert Ledger(path, Rate(3600.0, "test"), clock=clock).spent_before == pytest.approx(
        TICK_SECONDS + 1 + KILLED_SECONDS
    )


def test_an_attempt_on_a_machine_that_was_lost_is_charged_for_lines_that_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "ledger.jsonl", Clock()
    monkeypatch.setattr(ledgers, "boot_id", lambda: "first")
    Ledger(path, Rate(3600.0, "test"), clock=clock)
    monkeypatch.setattr(ledgers, "boot_id", lambda: "second")
    assert [attempt.seconds for attempt in read_attempts(path)] == [KILLED_SECONDS + SYNC_SECONDS]
    second = Ledger(path, Rate(3600.0, "test"), clock=clock)
    second.end("done")
    monkeypatch.setattr(ledgers, "boot_id", lambda: "third")
    assert [attempt.seconds for attempt in read_attempts(path)] == [
        KILLED_SECONDS + SYNC_SECONDS,
        0.0,
    ]  # the second one has ended


def test_time_before_the_ledger_is_charged(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", Rate(3600.0, "test"), clock=lambda: 110.0, began=104.0)
    assert (ledger.seconds(), ledger.dollars()) == (6.0, 6.0)
    (row,) = read_json_lines(tmp_path / "ledger.jsonl")
    assert row["seconds"] == 6.0  # a kill right after the first line is charged too


def test_every_line_says_where_the_rate_came_from_and_what_the_budget_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path, Rate(1.5, "given by --rate"), budget_usd=9.0).end("done")
    rows = list(read_json_lines(path))
    assert [row["event"] for row in rows] == ["start", "end"]
    assert all((row["rate_source"], row["cap_usd"]) == ("given by --rate", 9.0) for row in rows)


def test_lines_are_written_during_long_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "TICK_SECONDS", 0.05)
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, Rate(3.6, "test"))
    with ledger.watching():
        deadline = time.monotonic() + 30
        while len(list(read_json_lines(path))) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    ledger.end("done")
    events = [row["event"] for row in read_json_lines(path)]
    assert events[:4] == ["start", "tick", "tick", "tick"]
    assert events[-1] == "end"


def test_a_full_disk_does_not_end_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "TICK_SECONDS", 0.01)
    ledger, asked = Ledger(tmp_path / "ledger.jsonl", Rate(3.6, "test")), threading.Event()

    def full(path: Path, row: dict[str, object]) -> None:
        asked.set()
        raise OutOfSpaceError("no space left on the disk", "free some")

    monkeypatch.setattr(ledgers, "append_json", full)
    with ledger.watching():
        assert asked.wait(30)


def test_a_guarded_killed_attempt_is_never_charged_beyond_its_budget(tmp_path: Path) -> None:
    path, clock = tmp_path / "ledger.jsonl", Clock()
    ledger = Ledger(path, Rate(3600.0, "test"), budget_usd=10.0, clock=clock, guarded=True)
    clock.now = 9.0
    ledger.tick()
    (attempt,) = read_attempts(path)
    assert (attempt.seconds, attempt.dollars, attempt.ended) == (pytest.approx(10.0), pytest.approx(10.0), False)
    again = Ledger(path, Rate(3600.0, "test"), budget_usd=30.0, clock=clock)  # the budget was raised
    assert again.spent_before == pytest.approx(10.0)


def test_a_slow_disk_raises_the_charge_of_a_killed_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = tmp_path / "ledger.jsonl", Clock()
    append = ledgers.append_json

    def slowly(path: Path, row: dict[str, object]) -> None:
        append(path, row)
        clock.now += 4.0

    monkeypatch.setattr(ledgers, "append_json", slowly)
    Ledger(path, Rate(3600.0, "test"), clock=clock).tick()
    *_, last = read_json_lines(path)
    assert last["if_killed_seconds"] == pytest.approx(KILLED_SECONDS + 2 * 4.0)


def test_an_incomplete_last_line_does_not_damage_the_next(tmp_path: Path) -> None:
    path, clock = tmp_path / "ledger.jsonl", Clock()
    Ledger(path, Rate(3600.0, "test"), clock=clock)
    with path.open("ab") as log:
        log.write(b'{"attempt": 1, "event": "tick", "seco')
    Ledger(path, Rate(3600.0, "test"), clock=clock)
    assert [attempt.seconds for attempt in read_attempts(path)] == [KILLED_SECONDS, KILLED_SECONDS]


def test_the_exit_of_a_process_is_charged_but_never_beyond_the_budget(tmp_path: Path) -> None:
    clock = Clock()
    ledger = Ledger(tmp_path / "a.jsonl", Rate(3600.0, "test"), clock=clock, exit_seconds=1.0)
    clock.now = 5.0
    ledger.end("done")
    ledger.end("again")  # nothing
    (attempt,) = read_attempts(tmp_path / "a.jsonl")
    assert (attempt.seconds, attempt.reason) == (6.0, "done")
    limited = Ledger(
        tmp_path / "b.jsonl", Rate(3600.0, "test"), budget_usd=5.4, clock=clock, began=0.0, exit_seconds=1.0
    )
    assert (limited.charged_seconds(), limited.charged_dollars()) == (pytest.approx(5.4), pytest.approx(5.4))
    limited.end("done")
    assert read_attempts(tmp_path / "b.jsonl")[0].dollars == pytest.approx(5.4)
    assert read_attempts(tmp_path / "b.jsonl")[0].seconds == pytest.approx(5.4)


def test_guard_calls_before_the_budget(tmp_path: Path) -> None:
    ledger, called = Ledger(tmp_path / "ledger.jsonl", Rate(3600.0, "test"), budget_usd=1.0), threading.Event()
    with ledger.watching(called.set):
        assert called.wait(30)
    assert ledger.dollars() < 1.0 or ledger.seconds() > 5  # a very busy machine


def test_ledger_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(
        '{"attempt": 1, "event": "tick", "seconds": 7.0, "rate_usd_per_hour": 3600.0, "dollars": 7.0, "cap_usd": 9.0}\n'
    )
    (attempt,) = read_attempts(path)
    assert (attempt.seconds, attempt.ended) == (7.0 + KILLED_SECONDS, False)


def test_guard_calls_earlier_where_threads_wake_up_late(tmp_path: Path) -> None:
    began, late, called = time.monotonic(), 0.3, []

    class LateEvent(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return super().wait(None if timeout is None else timeout + late)

    ledger = Ledger(tmp_path / "ledger.jsonl", Rate(3600.0, "test"), budget_usd=6.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledgers.threading, "Event", LateEvent)
        with ledger.watching(lambda: called.append(time.monotonic() - began)):
            time.sleep(6.2)
    assert called
    assert called[0] < 6.0 - GUARD_SECONDS


JOB = Billing("tuppence-1", since=0.0, earlier_seconds=500.0, tail_seconds=30.0, basis="a test")


def test_a_job_is_charged_from_its_billing_start_to_the_end_of_its_upload(tmp_path: Path) -> None:
    path, clock = tmp_path / "ledger.jsonl", Clock()
    clock.now = 300.0
    billing = Billing("tuppence-1", since=0.0, tail_seconds=30.0)
    ledger = Ledger(path, Rate(3.6, "test"), clock=clock, began=0.0, exit_seconds=2.0, billing=billing)
    clock.now = 1000.0
    ledger.end("done")
    (attempt,) = read_attempts(path)
    assert (attempt.seconds, attempt.job) == (1032.0, "tuppence-1")


def test_machines_that_left_no_line_are_charged_once(tmp_path: Path) -> None:
    path, rate, clock = tmp_path / "ledger.jsonl", Rate(3600.0, "test"), Clock()
    first = Ledger(path, rate, clock=clock, billing=JOB)
    assert (first.attempt, first.spent_before) == (2, 500.0)
    second = Ledger(path, rate, clock=clock, billing=Billing("tuppence-2", since=0.0))
    killed = KILLED_SECONDS + JOB.tail_seconds  # the first attempt was killed at once
    assert (second.attempt, second.spent_before) == (3, 500.0 + killed)
    again = Ledger(path, rate, clock=clock, billing=JOB)  # 536 seconds are in the ledger, and 500 were billed
    assert (again.attempt, again.spent_before) == (5, 500.0 + KILLED_SECONDS)


def test_a_killed_machine_is_charged_what_aws_bills_for_it(tmp_path: Path) -> None:
    path, rate, clock = tmp_path / "ledger.jsonl", Rate(3600.0, "test"), Clock()
    Ledger(path, rate, clock=clock, billing=Billing("tuppence-1", since=0.0))
    again = Ledger(path, rate, clock=clock, billing=Billing("tuppence-1", since=0.0, earlier_seconds=400.0))
    assert again.spent_before == pytest.approx(400.0)


def test_the_guard_of_a_job_leaves_the_upload_within_the_budget(tmp_path: Path) -> None:
    clock = Clock()
    billing = Billing("tuppence-1", since=0.0, tail_seconds=30.0)
    ledger = Ledger(
        tmp_path / "ledger.jsonl",
        Rate(3600.0, "test"),
        budget_usd=100.0,
        clock=clock,
        exit_seconds=2.0,
        guarded=True,
        billing=billing,
    )
    called = threading.Event()
    clock.now = 100.0 - 30.0 - GUARD_SECONDS - 0.1
    with ledger.watching(called.set):
        assert not called.wait(0.05)
        clock.now += 0.2
        assert called.wait(5.0)
    ledger.end("reached its budget")
    assert read_attempts(tmp_path / "ledger.jsonl")[0].dollars <= 100.0

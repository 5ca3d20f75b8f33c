"""The ledger records what all attempts of a run have spent. Its guard ends an attempt that would exceed the budget.

An attempt is one process that works on a run. `ledger.jsonl` gets a line when an attempt starts, every few seconds
while it runs, and when it ends. Each line gives the charge that applies if no other line follows, so that a killed
attempt is charged too. Lines are never rewritten.

The limits (`cost.limits`, `training.deadline`) normally end a run before its budget is spent. They can fail when a disk
or a processor is slower than anything measured before. `watching` then ends the process at the budget. Every file of a
run is complete or absent at every moment, so nothing that was saved is lost.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.errors import TuppenceError
from tuppence.core.json_lines import append_json, read_json_lines
from tuppence.core.process import boot_id
from tuppence.cost.billing import Billing

TICK_SECONDS = 3.0
"""Time between two lines."""
LATE_SECONDS = 3.0
"""Longest expected delay of a line on a busy machine."""
KILLED_SECONDS = TICK_SECONDS + LATE_SECONDS
"""Smallest charge of a killed attempt for the time after its last line."""
EXIT_SECONDS = 2.0
"""Time for the interpreter to exit after the last line; charged to every attempt that is a whole process."""
GUARD_SECONDS = 0.5
"""The guard ends the process this long before the budget is spent."""
SYNC_SECONDS = 15.0
"""Time between two flushes of the lines to disk. If the machine is lost, the lines since the last flush are lost."""


@dataclass(frozen=True)
class Rate:
    """The price of an hour of this machine.

    Attributes:
        rate_usd_per_hour: US dollars per hour of wall time, all devices of this run together.
        source: where the price comes from; printed on the receipt.
    """

    rate_usd_per_hour: float = 0.0
    source: str = "no rate given: this machine costs nothing by the hour"


@dataclass(frozen=True)
class Attempt:
    """One attempt, as recorded in the ledger.

    Attributes:
        seconds, dollars: the charge of this attempt.
        ended: whether it ended by itself.
        reason: why it ended; None if it was killed.
        startup_seconds: time from its start to its first training step; 0 if it ended before that step.
        finish_seconds: expected time for the last save and the result.
        job: the cloud job that it belonged to; None outside a job.
    """

    number: int
    seconds: float
    dollars: float
    rate_usd_per_hour: float
    ended: bool
    reason: str | None = None
    startup_seconds: float = 0.0
    finish_seconds: float = 0.0
    job: str | None = None


class Ledger:
    """Records the cost of one attempt and reads the cost of the earlier ones.

    Args:
        path: the run's ledger.jsonl; None on ranks that write nothing.
        rate: the price of an hour.
        budget_usd: the budget in dollars for all attempts; None for no budget.
        clock: seconds, monotonic.
        began: start of the attempt on that clock; now by default.
        exit_seconds: time charged after the last line, for the exit of the process.
        guarded: whether a guard ends the process at the budget; a killed attempt is then never charged beyond it.
        billing: of the cloud job that this process belongs to. `began` is then the start of the billing.

    Attributes:
        attempts: the earlier attempts.
        spent_before: cost of the earlier attempts in dollars.
        startup_seconds, finish_seconds: written in each line for the next attempt; see `Attempt`.
        doing: the present activity, for the guard's message.
        reason: why the attempt ends, once that is known; used by `end`.
        sync_seconds: time that the first flush to disk took.
    """

    def __init__(
        self,
        path: Path | None,
        rate: Rate,
        budget_usd: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        began: float | None = None,
        exit_seconds: float = 0.0,
        guarded: bool = False,
        billing: Billing | None = None,
    ) -> None:
        self.path, self.rate, self.budget_usd, self.guarded = path, rate, budget_usd, guarded
        self.billing, self._tail_seconds = billing, 0.0 if billing is None else billing.tail_seconds
        self.exit_seconds = exit_seconds + self._tail_seconds
        self.attempts = read_attempts(path) if path else []
        self.attempt = max((attempt.number for attempt in self.attempts), default=0) + 1
        self.spent_before = sum(attempt.dollars for attempt in self.attempts)
        self.startup_seconds = self.finish_seconds = self.sync_seconds = 0.0
        self._longest_startup = max((attempt.startup_seconds for attempt in self.attempts), default=0.0)
        self.doing = "starting up"
        self.reason: str | None = None
        self.ended = False
        self._clock, self._slowest_write, self._lock = clock, 0.0, threading.Lock()
        self._lateness = 0.0  # delay of the guard's last wake-ups: threads wake up late on a busy machine
        if billing is not None and path is not None:
            self._correct_lost_machines(billing)
        self._start = self._last_tick = clock() if began is None else began
        self._write("start")

    def seconds(self) -> float:
        """Wall seconds of this attempt."""
        return self._clock() - self._start

    def dollars(self) -> float:
        """Dollars spent so far by all attempts together."""
        return self.spent_before + self._price(self.seconds())

    def seconds_to_budget(self) -> float:
        """Wall seconds until the budget is spent; infinity without a budget."""
        if self.budget_usd is None or not self.rate.rate_usd_per_hour:
            return float("inf")
        return (self.budget_usd - self.dollars()) / self.rate.rate_usd_per_hour * 3600

    @contextlib.contextmanager
    def watching(self, at_budget: Callable[[], None] | None = None) -> Iterator[None]:
        """Writes ticks in one thread and guards the budget in another while the block runs.

        Args:
            at_budget: called once, `GUARD_SECONDS` before the budget is spent, or earlier if writes are slow or threads
                wake up late. It must not wait for a disk or a terminal.
        """
        over = threading.Event()

        def guard() -> None:
            while True:
                asked, wanted = self._clock(), min(TICK_SECONDS / 5, max(self._seconds_to_guard(), 0.01))
                if over.wait(wanted):
                    return
                self._lateness = max(0.8 * self._lateness, self._clock() - asked - wanted)
                if at_budget is not None and not self.ended and self._seconds_to_guard() <= 0:
                    at_budget()
                    return

        def watch() -> None:
            while not over.wait(TICK_SECONDS / 5):
                with contextlib.suppress(TuppenceError, OSError):  # a full disk is reported by other writers
                    self.tick()

        def sync() -> None:
            while not over.wait(SYNC_SECONDS):
                self._sync()

        works = (watch, sync, guard) if at_budget is not None else (watch, sync)
        watchers = [threading.Thread(target=work, name="ledger", daemon=True) for work in works]
        for watcher in watchers:
            watcher.start()
        try:
            yield
        finally:
            over.set()
            watchers[0].join()

    def tick(self) -> None:
        """Writes a line if the last one is at least `TICK_SECONDS` old."""
        if not self.ended and self._clock() - self._last_tick >= TICK_SECONDS:
            self._write("tick")

    def end(self, reason: str | None = None, *, sync: bool = True) -> None:
        """Writes the last line of this attempt; later calls do nothing.

        Args:
            reason: why it ended; `self.reason` by default.
            sync: whether to wait until the line is flushed to disk.
        """
        if not self.ended:
            self.ended = True
            self._write("end", sync=sync, reason=reason or self.reason or "the command ended")

    def charged_seconds(self) -> float:
        """Seconds of all attempts, if this one ended now."""
        return sum(attempt.seconds for attempt in self.attempts) + self._at_end(self.seconds())[0]

    def charged_dollars(self) -> float:
        """Dollars of all attempts, if this one ended now."""
        return self._at_end(self.seconds())[1]

    def _at_end(self, seconds: float) -> tuple[float, float]:
        """The seconds of this attempt and the dollars of all, if it ends after `seconds`: with the time to exit, which
        is an estimate, but not beyond the budget, because the guard would end the process there."""
        spent = self.spent_before + self._price(seconds + self.exit_seconds)
        if self.budget_usd is None or not self.rate.rate_usd_per_hour:
            return seconds + self.exit_seconds, spent
        spent = min(spent, max(self.budget_usd, self.spent_before + self._price(seconds + self._tail_seconds)))
        return (spent - self.spent_before) / self.rate.rate_usd_per_hour * 3600, spent

    def _if_killed(self) -> float:
        """Seconds to charge if no other line follows this one. Start-up can block all threads for a long time."""
        starting = 0.0 if self.startup_seconds else self._longest_startup
        return KILLED_SECONDS + 2 * self._slowest_write + starting + self._tail_seconds

    def _seconds_to_guard(self) -> float:
        late = 2 * (self._slowest_write + self._lateness)
        return self.seconds_to_budget() - self._tail_seconds - GUARD_SECONDS - late

    def _correct_lost_machines(self, billing: Billing) -> None:
        """Adds the difference between what earlier machines of this job were billed for and what attempts recorded.

        A machine that was taken before our process began has left no line, and the end of a killed one was assumed.
        """
        known = sum(attempt.seconds for attempt in self.attempts if attempt.job == billing.job)
        seconds = billing.earlier_seconds - known
        if abs(seconds) < 1.0 or not billing.earlier_seconds:
            return
        dollars, more = self._price(seconds), "more" if seconds > 0 else "less"
        reason = f"machines that were taken were billed for {more}"
        self.spent_before += dollars
        lost = Attempt(
            self.attempt, seconds, dollars, self.rate.rate_usd_per_hour, ended=True, reason=reason, job=billing.job
        )
        assert self.path is not None
        append_json(self.path, self._row("end", seconds, self.spent_before) | {"reason": reason})
        self.attempts.append(lost)
        self.attempt += 1

    def _price(self, seconds: float) -> float:
        return seconds / 3600 * self.rate.rate_usd_per_hour

    def _write(self, event: str, *, sync: bool = True, **more: Any) -> None:
        with self._lock:
            if self.ended and event == "tick":
                return
            began = self._last_tick = self._clock()
            if self.path is None:
                return
            seconds = began - self._start
            spent = self.spent_before + self._price(seconds)
            if event == "end":
                seconds, spent = self._at_end(seconds)
            append_json(self.path, {**self._row(event, seconds, spent), **more})
            self._slowest_write = max(self._slowest_write, self._clock() - began)
        if event != "tick" and sync:
            began = self._clock()
            self._sync()
            self.sync_seconds = self.sync_seconds or self._clock() - began

    def _row(self, event: str, seconds: float, spent: float) -> dict[str, Any]:
        row = {
            "attempt": self.attempt,
            "event": event,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(seconds, 3),
            "if_killed_seconds": round(self._if_killed(), 3),
            "guarded": self.guarded,
            "boot": boot_id(),
            "rate_usd_per_hour": self.rate.rate_usd_per_hour,
            "rate_source": self.rate.source,
            "dollars": round(spent, 6),
            "cap_usd": self.budget_usd,
            "startup_seconds": round(self.startup_seconds, 3),
            "finish_seconds": round(self.finish_seconds, 3),
        }
        return row if self.billing is None else {**row, "job": self.billing.job, "billed_from": self.billing.basis}

    def _sync(self) -> None:
        """Flushes the lines to disk, so that they survive the loss of the machine."""
        if self.path is not None:
            with contextlib.suppress(OSError), self.path.open("rb") as log:
                os.fsync(log.fileno())


def read_attempts(path: Path) -> list[Attempt]:
    """The attempts of a ledger, in order.

    A killed attempt is charged beyond its last line, by the amount in that line. A guarded attempt is never charged
    beyond its budget, because the guard would have ended it there. If the machine has rebooted since, or this is
    another machine, the last lines may be lost: `SYNC_SECONDS` are added.
    """
    last: dict[int, dict[str, Any]] = {}
    for row in read_json_lines(path):
        if isinstance(row.get("attempt"), int) and _is_number(row.get("seconds")):
            last[row["attempt"]] = row
    attempts: list[Attempt] = []
    spent = 0.0
    for number, row in sorted(last.items()):
        ended = row.get("event") == "end"
        seconds, rate = float(row["seconds"]), _number(row, "rate_usd_per_hour")
        if not ended:
            late = _number(row, "if_killed_seconds", KILLED_SECONDS)
            if row.get("boot") not in (None, boot_id()):
                late += SYNC_SECONDS
            if rate and _is_number(row.get("cap_usd")) and row.get("guarded") is True:
                late = min(late, max(0.0, (float(row["cap_usd"]) - spent) / rate * 3600 - seconds))
            seconds += late
        dollars = seconds / 3600 * rate
        spent += dollars
        reason = row.get("reason") if ended else None
        startup, finish = _number(row, "startup_seconds"), _number(row, "finish_seconds")
        job = row.get("job") if isinstance(row.get("job"), str) else None
        attempts.append(Attempt(number, seconds, dollars, rate, ended, reason, startup, finish, job))
    return attempts


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(row: dict[str, Any], key: str, default: float = 0.0) -> float:
    return float(row[key]) if _is_number(row.get(key)) else default

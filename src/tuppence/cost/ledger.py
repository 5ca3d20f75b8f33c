"""The ledger: what a run has spent, over all its attempts, and the guard that no attempt outlives the cap.

An attempt is one process that works on a run. `ledger.jsonl` gets a line when an attempt starts, every few seconds
while it lives, and when it ends. Each line says what to charge if no other line follows, so that kills are never free.
Nothing is ever rewritten.

The limits (`cost.limits`, `training.deadline`) end a run in good order before its cap. Where that fails, because a disk
or a processor was slower than anything measured before, `watching` ends the process itself at the cap: every file of a
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

TICK_SECONDS = 3.0
"""Between two lines."""
LATE_SECONDS = 3.0
"""How late a line may come on a busy machine."""
KILLED_SECONDS = TICK_SECONDS + LATE_SECONDS
"""What a killed attempt is charged beyond its last line, at least."""
EXIT_SECONDS = 2.0
"""Time for the interpreter to exit after the last line; charged to every attempt that is a whole process."""
GUARD_SECONDS = 0.5
"""How long before the cap the guard ends the process."""
SYNC_SECONDS = 15.0
"""Between two moments at which the lines become durable; a machine that is lost loses the lines since the last one."""


@dataclass(frozen=True)
class Rate:
    """What an hour of this machine costs.

    Attributes:
        rate_usd_per_hour: US dollars per hour of wall time, all devices of this run together.
        source: where the figure comes from, for the receipt.
    """

    rate_usd_per_hour: float = 0.0
    source: str = "no rate given: this machine costs nothing by the hour"


@dataclass(frozen=True)
class Attempt:
    """One attempt, as the ledger has it.

    Attributes:
        seconds, dollars: what it is charged.
        ended: whether it ended by itself.
        reason: why it ended; None for one that was killed.
        startup_seconds: from its beginning to its first training step; 0 where it did not come so far.
        finish_seconds: what it expected its ending to take: the last save and the result.
    """

    number: int
    seconds: float
    dollars: float
    rate_usd_per_hour: float
    ended: bool
    reason: str | None = None
    startup_seconds: float = 0.0
    finish_seconds: float = 0.0


class Ledger:
    """Meters one attempt and knows what the earlier ones cost.

    Args:
        path: the run's ledger.jsonl; None on ranks that write nothing.
        rate: the price of an hour.
        budget_usd: what the run may spend over all attempts, in dollars; None where there is none.
        clock: seconds, monotonic.
        began: when the attempt began on that clock; now, by default.
        exit_seconds: charged after the last line, for the exit of the process.
        guarded: whether a guard ends the process at the cap; a killed attempt is then never charged beyond it.

    Attributes:
        attempts: the earlier attempts.
        spent_before: what they cost, in dollars.
        startup_seconds, finish_seconds: kept in each line for the next attempt; see `Attempt`.
        doing: what the attempt is busy with, for the guard's last words.
        reason: why the attempt ends, once that is known; for `end`.
        sync_seconds: what it took to make the first line durable.
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
    ) -> None:
        self.path, self.rate, self.budget_usd, self.exit_seconds = path, rate, budget_usd, exit_seconds
        self.guarded = guarded
        self.attempts = read_attempts(path) if path else []
        self.attempt = max((attempt.number for attempt in self.attempts), default=0) + 1
        self.spent_before = sum(attempt.dollars for attempt in self.attempts)
        self.startup_seconds = self.finish_seconds = self.sync_seconds = 0.0
        self._longest_startup = max((attempt.startup_seconds for attempt in self.attempts), default=0.0)
        self.doing = "starting up"
        self.reason: str | None = None
        self.ended = False
        self._clock, self._slowest_write, self._lock = clock, 0.0, threading.Lock()
        self._lateness = 0.0  # of the guard's last wake-ups: a busy machine gives a thread its turn late
        self._start = self._last_tick = clock() if began is None else began
        self._write("start")

    def seconds(self) -> float:
        """Wall seconds of this attempt."""
        return self._clock() - self._start

    def dollars(self) -> float:
        """Spent so far, all attempts together."""
        return self.spent_before + self._price(self.seconds())

    def seconds_to_cap(self) -> float:
        """Wall seconds until the cap is spent; infinity where there is none."""
        if self.budget_usd is None or not self.rate.rate_usd_per_hour:
            return float("inf")
        return (self.budget_usd - self.dollars()) / self.rate.rate_usd_per_hour * 3600

    @contextlib.contextmanager
    def watching(self, at_cap: Callable[[], None] | None = None) -> Iterator[None]:
        """Writes ticks by a thread of its own, whatever the block is busy with, and guards the cap by another.

        Args:
            at_cap: called once, `GUARD_SECONDS` before the cap, and earlier where writes are slow or threads wake up
                late. It must not wait for a disk or a terminal.
        """
        over = threading.Event()

        def guard() -> None:
            while True:
                asked, wanted = self._clock(), min(TICK_SECONDS / 5, max(self._seconds_to_guard(), 0.01))
                if over.wait(wanted):
                    return
                self._lateness = max(0.8 * self._lateness, self._clock() - asked - wanted)
                if at_cap is not None and not self.ended and self._seconds_to_guard() <= 0:
                    at_cap()
                    return

        def watch() -> None:
            while not over.wait(TICK_SECONDS / 5):
                with contextlib.suppress(TuppenceError, OSError):  # a full disk: whoever writes what matters says so
                    self.tick()

        def sync() -> None:
            while not over.wait(SYNC_SECONDS):
                self._sync()

        works = (watch, sync, guard) if at_cap is not None else (watch, sync)
        watchers = [threading.Thread(target=work, name="ledger", daemon=True) for work in works]
        for watcher in watchers:
            watcher.start()
        try:
            yield
        finally:
            over.set()
            watchers[0].join()

    def tick(self) -> None:
        """Writes a line when the last one is old enough."""
        if not self.ended and self._clock() - self._last_tick >= TICK_SECONDS:
            self._write("tick")

    def end(self, reason: str | None = None, *, sync: bool = True) -> None:
        """The last line of this attempt; later calls do nothing.

        Args:
            reason: why it ended; `self.reason` by default.
            sync: whether to wait until the line is durable.
        """
        if not self.ended:
            self.ended = True
            self._write("end", sync=sync, reason=reason or self.reason or "the command ended")

    def charged_seconds(self) -> float:
        """Seconds of all attempts, if this one ended now."""
        return sum(attempt.seconds for attempt in self.attempts) + self.seconds() + self.exit_seconds

    def charged_dollars(self) -> float:
        """Dollars of all attempts, if this one ended now."""
        spent = self.dollars()
        ahead = spent + self._price(self.exit_seconds)
        return ahead if self.budget_usd is None else min(ahead, max(self.budget_usd, spent))

    def _if_killed(self) -> float:
        """Seconds to charge beyond a line that no other follows. Starting up may hold every thread for long."""
        starting = 0.0 if self.startup_seconds else self._longest_startup
        return KILLED_SECONDS + 2 * self._slowest_write + starting

    def _seconds_to_guard(self) -> float:
        return self.seconds_to_cap() - GUARD_SECONDS - 2 * (self._slowest_write + self._lateness)

    def _price(self, seconds: float) -> float:
        return seconds / 3600 * self.rate.rate_usd_per_hour

    def _write(self, event: str, *, sync: bool = True, **more: Any) -> None:
        with self._lock:
            if self.ended and event == "tick":
                return
            began = self._last_tick = self._clock()
            if self.path is None:
                return
            seconds = began - self._start + (self.exit_seconds if event == "end" else 0.0)
            spent = self.spent_before + self._price(seconds)
            # the second for the exit is an allowance; the guard keeps the budget
            if event == "end" and self.budget_usd is not None:
                spent = min(spent, max(self.budget_usd, self.spent_before + self._price(began - self._start)))
                if self.rate.rate_usd_per_hour:
                    seconds = (spent - self.spent_before) / self.rate.rate_usd_per_hour * 3600
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
            append_json(self.path, {**row, **more})
            self._slowest_write = max(self._slowest_write, self._clock() - began)
        if event != "tick" and sync:
            began = self._clock()
            self._sync()
            self.sync_seconds = self.sync_seconds or self._clock() - began

    def _sync(self) -> None:
        """Makes the lines durable: a machine that is taken away keeps what the disk has."""
        if self.path is not None:
            with contextlib.suppress(OSError), self.path.open("rb") as log:
                os.fsync(log.fileno())


def read_attempts(path: Path) -> list[Attempt]:
    """The attempts of a ledger, in order.

    One that was killed is charged beyond its last line by what that line says, but never beyond the cap that it ran
    under: the guard would have ended it there. Where the machine has been started again since, or this is another one,
    its last lines may be lost: `SYNC_SECONDS` are added.
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
        attempts.append(Attempt(number, seconds, dollars, rate, ended, reason, startup, finish))
    return attempts


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(row: dict[str, Any], key: str, default: float = 0.0) -> float:
    return float(row[key]) if _is_number(row.get(key)) else default

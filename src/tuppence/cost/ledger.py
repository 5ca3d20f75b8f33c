"""The ledger: what a run has spent, over all its attempts.

`ledger.jsonl` gets a line when an attempt starts, every few seconds while it lives, and when it ends. A killed attempt
is charged up to its last line and one tick more, so that kills are never free. Nothing is ever rewritten.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.errors import TuppenceError
from tuppence.core.rundir import append_json, read_json_lines

TICK_SECONDS = 5.0


@dataclass(frozen=True)
class Rate:
    """What an hour of this machine costs.

    Attributes:
        dollars_per_hour: US dollars per hour of wall time, all devices of this run together.
        source: where the figure comes from, for the receipt.
    """

    dollars_per_hour: float = 0.0
    source: str = "no rate given: this machine costs nothing by the hour"


class Ledger:
    """Meters one attempt and knows what the earlier ones came to.

    Args:
        path: the run's ledger.jsonl; None on ranks that write nothing.
        rate: the price of an hour.
        cap: what the run may spend over all attempts, in dollars; only recorded here, kept by `Limits`.
        clock: seconds, monotonic.
        began: when the attempt did, on that clock: what came before the ledger is on its bill. Now, by default.
    """

    def __init__(
        self,
        path: Path | None,
        rate: Rate,
        cap: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        began: float | None = None,
    ) -> None:
        self.path, self.rate, self.cap = path, rate, cap
        attempts = read_attempts(path) if path else []
        self.attempt = len(attempts) + 1
        self.spent_before = sum(attempt.dollars for attempt in attempts)
        self._clock = clock
        self._start = self._last_tick = clock() if began is None else began
        self._write("start")

    def seconds(self) -> float:
        """Wall seconds of this attempt."""
        return self._clock() - self._start

    def dollars(self) -> float:
        """Spent so far, all attempts together."""
        return self.spent_before + self.seconds() / 3600 * self.rate.dollars_per_hour

    @contextlib.contextmanager
    def ticking(self) -> Iterator[None]:
        """Ticks by a thread of its own, whatever the block is busy with: compiling, validating, measuring."""
        over = threading.Event()

        def watch() -> None:
            with contextlib.suppress(TuppenceError):  # a full disk: whoever writes what matters will say so
                while not over.wait(TICK_SECONDS / 5):
                    self.tick()

        watcher = threading.Thread(target=watch, name="ledger", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def tick(self) -> None:
        """Writes a line when the last one is old enough."""
        if self._clock() - self._last_tick >= TICK_SECONDS:
            self._write("tick")

    def end(self, reason: str) -> None:
        """The last line of this attempt."""
        self._write("end", reason=reason)

    def _write(self, event: str, **more: Any) -> None:
        self._last_tick = self._clock()
        if self.path is None:
            return
        row = {
            "attempt": self.attempt,
            "event": event,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(self.seconds(), 3),
            "rate_usd_per_hour": self.rate.dollars_per_hour,
            "rate_source": self.rate.source,
            "dollars": round(self.dollars(), 6),
            "cap_usd": self.cap,
        }
        append_json(self.path, {**row, **more})


@dataclass(frozen=True)
class Attempt:
    """One attempt as the ledger tells it: its own seconds and dollars, and whether it ended by itself."""

    number: int
    seconds: float
    dollars: float
    dollars_per_hour: float
    ended: bool


def read_attempts(path: Path) -> list[Attempt]:
    """The attempts of a ledger; one that was killed is charged one tick beyond its last line."""
    last: dict[int, dict[str, Any]] = {}
    for row in read_json_lines(path):
        if isinstance(row.get("attempt"), int) and isinstance(row.get("seconds"), int | float):
            last[row["attempt"]] = row
    attempts = []
    for number, row in sorted(last.items()):
        ended = row.get("event") == "end"
        seconds = float(row["seconds"]) + (0.0 if ended else TICK_SECONDS)
        rate = float(row.get("rate_usd_per_hour") or 0.0)
        attempts.append(Attempt(number, seconds, seconds / 3600 * rate, rate, ended))
    return attempts

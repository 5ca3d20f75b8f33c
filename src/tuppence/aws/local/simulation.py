"""The life of a job without processes: a clock that jumps, and instances whose work has a computed duration.

`life.Life` runs on them as on the real ones, some thousand times a second.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tuppence.aws.local.conditions import Conditions
from tuppence.aws.local.life import DONE, Life, Outcome
from tuppence.aws.local.record import Job


class SimulatedClock:
    """Time that passes only where something waits."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def stamp(self) -> float:
        return self._now

    def go_to(self, time: float) -> None:
        self._now = max(self._now, time)


class Program(Protocol):
    """What a container does."""

    exit_code: int

    def start(self, job: Job, now: float) -> None:
        """Starts on new instances, which know only what was copied to S3."""

    def advance(self, until: float) -> float | None:
        """Works until a time. Returns the time of its end, if that is not later, else None."""

    def terminate(self, now: float) -> None:
        """SIGTERM."""

    def kill(self, now: float) -> None:
        """SIGKILL, or the loss of the machine."""


@dataclass(frozen=True)
class Transfers:
    """How long copies take, in seconds."""

    download: float = 60.0
    upload: float = 10.0


class SimulatedMachine:
    """Implements `life.Machine`.

    Args:
        requests: pairs of a time and a request (STOP or INTERRUPTION), by time.
    """

    def __init__(
        self,
        job: Job,
        clock: SimulatedClock,
        program: Program,
        transfers: Transfers,
        requests: Sequence[tuple[float, str]] = (),
    ) -> None:
        self.job, self.clock, self.program, self.transfers = job, clock, program, transfers
        self._requests = list(requests)
        self._phase: str | None = None
        self._last = ""
        self._transfer_ends = 0.0

    def launch(self, attempt: int, instance: str, count: int) -> None:
        self._phase = None

    def begin(self, phase: str) -> None:
        self._phase = self._last = phase
        now = self.clock.now()
        if phase == "Training":
            self.program.start(self.job, now)
        else:
            self._transfer_ends = now + (self.transfers.download if phase == "Downloading" else self.transfers.upload)

    def wait(self, until: float) -> str | None:
        until = max(until, self.clock.now())
        asked = self._requests[0][0] if self._requests else float("inf")
        ends = self._ends(min(until, asked))
        if ends is not None and ends <= min(until, asked):
            self.clock.go_to(ends)
            self._phase = None
            return DONE
        if asked <= until:
            self.clock.go_to(asked)
            return self._requests.pop(0)[1]
        assert until < float("inf"), "waits for nothing"
        self.clock.go_to(until)
        return None

    def _ends(self, until: float) -> float | None:
        if self._phase is None:
            return None
        if self._phase == "Training":
            return self.program.advance(until)
        return self._transfer_ends

    def terminate(self) -> None:
        self.program.terminate(self.clock.now())

    def kill(self) -> None:
        if self._phase == "Training":
            self.program.kill(self.clock.now())
        self._phase = None

    def outcome(self) -> Outcome:
        failed = self._last == "Training" and self.program.exit_code != 0
        return Outcome(f"exit code: {self.program.exit_code}" if failed else None)

    def release(self, *, sync: bool) -> None:
        self._phase = None


def live(
    job: Job,
    conditions: Conditions,
    program: Program,
    transfers: Transfers,
    requests: Sequence[tuple[float, str]] = (),
    clock: SimulatedClock | None = None,
) -> Job:
    """Runs a simulated job to its end, and returns it."""
    clock = clock or SimulatedClock(job.created)
    machine = SimulatedMachine(job, clock, program, transfers, requests)

    @contextlib.contextmanager
    def changing(changed: Job) -> Iterator[Job]:
        yield changed

    Life(job, conditions, clock, machine, changing).run()
    return job

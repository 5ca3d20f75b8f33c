"""The life of a job: which status follows which, when instances are billed, and what ends it. No input or output.

The instances are behind `Machine`: real processes in `instances.py`, a model in `simulation.py`. Both live by this
file, so that ten thousand simulated lives say something about the real ones.

Our reading of AWS's documentation, and where it is silent:
    - Statuses: Starting -> Downloading -> Training -> Uploading -> Completed. A spot interruption leads through
      Interrupted back to Starting. A stop or a limit leads from Training through Stopping and Uploading to Stopped.
    - Billed are the seconds from the beginning of Downloading to the end of Uploading ("the time after model artifacts
      are uploaded"), at each attempt; of a failed job to the failure.
    - MaxWaitTimeInSeconds counts from the creation; MaxRuntimeInSeconds from the beginning of Training. Neither
      shortens the 120 seconds after SIGTERM, or the upload.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from tuppence.aws.local.clock import Clock
from tuppence.aws.local.conditions import Conditions
from tuppence.aws.local.record import LONGEST_REASON, Job

DAY = 86_400.0
ACCELERATED = ("ml.p", "ml.g", "ml.trn")

DONE, STOP, INTERRUPTION = "done", "stop", "interruption"
WAITED, RAN, PENDED = "waited", "ran", "pended"


@dataclass(frozen=True)
class Outcome:
    """How the work of a phase ended. `failure` is the FailureReason; None if it went well."""

    failure: str | None = None
    exit_message: str | None = None
    artifacts: str | None = None


class Machine(Protocol):
    """The instances of a job."""

    def launch(self, attempt: int, instance: str, count: int) -> None:
        """Takes new, empty instances."""

    def begin(self, phase: str) -> None:
        """Starts the work of a phase: Downloading, Training or Uploading."""

    def wait(self, until: float) -> str | None:
        """Waits until the work has ended (DONE), somebody asks for a STOP or an INTERRUPTION, or the time comes (None).

        A request is reported once. Without work, DONE is not returned.
        """

    def terminate(self) -> None:
        """Sends SIGTERM to the containers, or abandons a transfer."""

    def kill(self) -> None:
        """Sends SIGKILL to all processes of the containers, and waits for their end."""

    def outcome(self) -> Outcome:
        """How the work ended that `wait` reported as DONE."""

    def release(self, *, sync: bool) -> None:
        """Gives the instances and all that is on them away, after the checkpoint folder is synchronized if `sync`."""


@dataclass(frozen=True)
class Ending:
    """How a job, or an attempt at it, ends. `status` None: there is another attempt after `secondary`."""

    status: str | None
    secondary: str
    message: str
    failure: str | None = None


COMPLETED = Ending("Completed", "Completed", "Training job completed")
STOPPED = Ending("Stopped", "Stopped", "Training job stopped")
OUT_OF_TIME = {
    RAN: Ending("Stopped", "MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided"),
    WAITED: Ending("Stopped", "MaxWaitTimeExceeded", "Training job exceeded MaxWaitTimeInSeconds provided"),
    PENDED: Ending("Stopped", "Stopped", "Training job exceeded MaxPendingTimeInSeconds provided"),
    STOP: STOPPED,
}
INTERRUPTED = Ending(None, "Interrupted", "Training job interrupted: the spot instances were taken back")
INTERNAL_ERROR = "InternalServerError: We encountered an internal error. Please try again."
CAPACITY_ERROR = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)


class Life:
    """Runs one job from Starting to its end, in the calling thread.

    Args:
        changing: gives the job for a change, and saves it afterwards.
    """

    def __init__(
        self,
        job: Job,
        conditions: Conditions,
        clock: Clock,
        machine: Machine,
        changing: Callable[[Job], AbstractContextManager[Job]],
    ) -> None:
        self.job, self.conditions, self.clock, self.machine, self._changing = job, conditions, clock, machine, changing
        limits = job.request.get("StoppingCondition", {})
        self._created = clock.now()
        self._max_runtime = float(limits.get("MaxRuntimeInSeconds", DAY))
        self._wait_ends = self._created + float(limits["MaxWaitTimeInSeconds"]) if job.spot else float("inf")
        self._pending = float(limits.get("MaxPendingTimeInSeconds", "inf"))
        self._ran = 0.0  # seconds of Training in earlier attempts
        self._stop_asked = False
        self._stamp: float | None = None  # of the end of an attempt, until a status follows it

    def run(self) -> None:
        """Runs the job until it has ended."""
        attempt, retries = 0, 0
        self._enter("Starting", "Starting the training job")
        while True:
            attempt += 1
            ending = self._attempt(attempt)
            if ending.failure == INTERNAL_ERROR and retries < self._retries():
                retries += 1
                ending = Ending(None, "Restarting", "Restarting the training job after an internal error")
            if ending.status is not None:
                self._end(ending)
                return
            self._enter(ending.secondary, ending.message)
            if self._stop_asked:
                self._enter("Stopping", "Stopping the training job", "Stopping")
                self._end(STOPPED)
                return
            self._enter("Starting", "Preparing the instances for training")

    def _attempt(self, attempt: int) -> Ending:
        instance = self._capacity(attempt)
        if isinstance(instance, Ending):
            return instance
        began, stamp = self.clock.now(), self.clock.stamp()
        with self._changing(self.job) as job:
            job.selected = instance
            job.started = job.started or stamp
            job.enter("Downloading", "Downloading input data", stamp)
        sync = True
        self.machine.launch(attempt, instance, self.job.count(instance))
        try:
            ending = self._on_instances(attempt)
            sync = ending is not INTERRUPTED or self.conditions.syncs_at_end(self.job.name, attempt)
        finally:
            seconds, self._stamp = self.clock.now() - began, self.clock.stamp()
            self.machine.release(sync=sync)
        with self._changing(self.job) as job:
            job.seconds += seconds
            job.attempts.append({"seconds": seconds, "by": ending.secondary})
        return ending

    def _capacity(self, attempt: int) -> str | Ending:
        """Waits for instances; returns their type, or how the job ends without them."""
        now = self.clock.now()
        offered = [name for name in self.job.instance_types if name not in self.conditions.no_capacity]
        deadlines = {DONE: now + self.conditions.capacity(attempt), WAITED: self._wait_ends}
        if not offered:
            self._enter("Starting", "Insufficient capacity error from EC2 while launching instances, retrying!")
            deadlines[DONE] = float("inf") if self.job.spot else now + self.conditions.patience_seconds
        if any(name.startswith(ACCELERATED) for name in self.job.instance_types):
            deadlines[PENDED] = now + self._pending
        happened = self._next(deadlines)
        if happened == DONE:
            return offered[0] if offered else Ending("Failed", "Failed", CAPACITY_ERROR, CAPACITY_ERROR)
        if happened == INTERRUPTION:  # there are no instances yet that could be taken
            return self._capacity(attempt)
        self._enter("Stopping", "Stopping the training job", "Stopping")
        return OUT_OF_TIME[happened]

    def _on_instances(self, attempt: int) -> Ending:
        """The phases of one attempt, on instances that are billed."""
        ending = self._transfer(attempt, "Downloading")
        if ending is not None:
            return ending
        if attempt in self.conditions.internal_errors:
            return Ending("Failed", "Failed", INTERNAL_ERROR, INTERNAL_ERROR)
        self._enter("Training", "Training image download completed. Training in progress.")
        began = self.clock.now()
        self.machine.begin("Training")
        happened = self._next(
            {
                **self._interruption(attempt, "Training"),
                WAITED: self._wait_ends,
                RAN: began + self._max_runtime - (0.0 if self.conditions.runtime_restarts else self._ran),
            }
        )
        ending = COMPLETED
        if happened != DONE:
            ending = INTERRUPTED if happened == INTERRUPTION else OUT_OF_TIME[happened]
            if happened != INTERRUPTION:
                self._enter("Stopping", "Stopping the training job", "Stopping")
            self._terminate()
        self._ran += self.clock.now() - began
        if ending is INTERRUPTED:
            return ending
        outcome = self.machine.outcome()
        with self._changing(self.job) as job:
            job.exit_message = outcome.exit_message
        if ending is COMPLETED and outcome.failure is not None:
            return Ending("Failed", "Failed", "Training job failed", outcome.failure)
        self._enter("Uploading", "Uploading generated training model")
        return self._transfer(attempt, "Uploading", ending) or ending

    def _transfer(self, attempt: int, phase: str, stopping: Ending = COMPLETED) -> Ending | None:
        """Downloads or uploads. Returns how the attempt ends here, or None if it goes on.

        An upload of a job that is stopping is neither stopped again nor interrupted.
        """
        self.machine.begin(phase)
        deadlines: dict[str, float] = {DONE: float("inf")}
        if stopping is COMPLETED:
            deadlines |= self._interruption(attempt, phase)
        if phase == "Downloading":
            deadlines[WAITED] = self._wait_ends
        while True:
            happened = self._next(deadlines)
            if happened == DONE:
                outcome = self.machine.outcome()
                if outcome.failure is not None:
                    return Ending("Failed", "Failed", "Training job failed", outcome.failure)
                with self._changing(self.job) as job:
                    job.artifacts = outcome.artifacts or job.artifacts
                return STOPPED if self._stop_asked and phase == "Uploading" and stopping is COMPLETED else None
            if happened == INTERRUPTION and stopping is COMPLETED:
                self.machine.kill()
                return INTERRUPTED
            if phase == "Downloading":
                self._enter("Stopping", "Stopping the training job", "Stopping")
                self.machine.kill()
                return OUT_OF_TIME[happened]

    def _terminate(self) -> None:
        """SIGTERM, the grace, SIGKILL."""
        self.machine.terminate()
        ends = self.clock.now() + self.conditions.grace_seconds
        while self.clock.now() < ends:
            if self._next({"killed": ends}) == DONE:
                return
        self.machine.kill()

    def _next(self, deadlines: dict[str, float]) -> str:
        """Waits for what happens first: the end of the work, a request, or one of the deadlines."""
        first = min(deadlines, key=lambda name: deadlines[name])
        happened = self.machine.wait(deadlines[first]) or first
        self._stop_asked = self._stop_asked or happened == STOP
        return happened

    def _interruption(self, attempt: int, phase: str) -> dict[str, float]:
        after = self.conditions.interruption(attempt, phase) if self.job.spot else None
        return {} if after is None else {INTERRUPTION: self.clock.now() + after}

    def _retries(self) -> int:
        return int(self.job.request.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0))

    def _enter(self, secondary: str, message: str, status: str | None = None) -> None:
        with self._changing(self.job) as job:
            job.status = status or job.status
            if job.secondary == secondary and job.transitions:
                job.transitions[-1]["StatusMessage"] = message
            else:
                job.enter(secondary, message, self._stamp or self.clock.stamp())
        self._stamp = None

    def _end(self, ending: Ending) -> None:
        stamp = self._stamp or self.clock.stamp()
        with self._changing(self.job) as job:
            assert ending.status is not None
            job.status, job.ended = ending.status, stamp
            job.failure = ending.failure[:LONGEST_REASON] if ending.failure else None
            job.enter(ending.secondary, ending.message, stamp)
            job.transitions[-1]["EndTime"] = stamp

"""How much time and money a run has left, with time reserved for the final evaluation and checkpoint.

`cost.limits` holds the limits. This module measures the time of a step, an evaluation, a save and the result while the
run goes on, and estimates it from bytes before the first measurement. A run thus ends early enough to score its last
weights, to save them and to write its result. If the ending takes longer than expected, the ledger's guard still
enforces the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tuppence.cost.ledger import GUARD_SECONDS, KILLED_SECONDS, Ledger
from tuppence.cost.limits import Limits
from tuppence.training.step import Step
from tuppence.training.throughput import Meter
from tuppence.training.trainable import trainable_parameters

ASSUMED_BYTES_PER_SECOND = 50e6
"""Assumed speed to write, flush and verify a checkpoint before the first measurement: a slow network disk."""
_SMALLEST_SAVE_SECONDS = 0.3
_FILES_SECONDS = 0.5
_SYNCS_OF_A_SAVE = 15
"""A checkpoint's files and folders are flushed one by one; opening the ledger measures the time of one flush."""
OVERHEAD = 1.5
"""Assumed time of a step with its share of evaluations and saves, in multiples of the step alone."""
RESTART_SHARE = 0.05
"""Money for another start-up is reserved if it is at most this share of the budget."""


class Deadline:
    """The time and money of one attempt, compared with its limits.

    Args:
        closing: time to measure the result after the last step, in multiples of one evaluation.
        evaluation_tokens: tokens of one evaluation; before the first one, its time is estimated from training speed.
        state_bytes: size of a checkpoint.
        result_bytes: size of RUN/model.
        upload_seconds: returns the time to copy that many bytes to a remote run; None for a local run.

    Attributes:
        limits, ledger, meter: the arguments of the constructor.
        elapsed_before: wall seconds of the earlier attempts that this one continues.
        evaluation_seconds, save_seconds: time of the last evaluation and the last save; 0 before the first.
    """

    def __init__(
        self,
        limits: Limits,
        ledger: Ledger,
        meter: Meter,
        closing: float = 0.0,
        evaluation_tokens: int = 0,
        state_bytes: int = 0,
        result_bytes: int = 0,
        upload_seconds: Callable[[int], float] | None = None,
    ) -> None:
        self.limits, self.ledger, self.meter = limits, ledger, meter
        self._closing, self._evaluation_tokens = closing, evaluation_tokens
        self._state_bytes, self._result_bytes, self._upload_seconds = state_bytes, result_bytes, upload_seconds
        self.elapsed_before = self.evaluation_seconds = self.save_seconds = 0.0

    def elapsed(self) -> float:
        """Wall seconds of the run: this attempt and the earlier ones that it continues."""
        return self.elapsed_before + self.ledger.seconds()

    @classmethod
    def of(
        cls,
        step: Step,
        limits: Limits,
        ledger: Ledger,
        meter: Meter,
        *,
        closing: float = 0.0,
        upload_seconds: Callable[[int], float] | None = None,
    ) -> Deadline:
        """The deadline of a run, with estimated sizes of its checkpoints and its result."""
        return cls(
            limits,
            ledger,
            meter,
            closing,
            evaluation_tokens=step.objective.evaluation_tokens() if limits.timed else 0,
            state_bytes=3 * 4 * sum(parameter.numel() for parameter in trainable_parameters(step.model).values()),
            result_bytes=4 * sum(parameter.numel() for parameter in step.model.parameters()),
            upload_seconds=upload_seconds,
        )

    def reached(self, step: int) -> tuple[str | None, float]:
        """Why the run ends before this step, or None; and the share of it that is done, 0 to 1."""
        elapsed, spent = self.elapsed(), self.ledger.dollars()
        one_more = 1.5 * (self.meter.step_seconds or 0.0)
        reserve, restart = one_more + self._evaluation() + self.ending_seconds(), self._restart()
        self.ledger.finish_seconds = self._result() + self._upload()
        ending = self.limits.reached(step=step, elapsed=elapsed, spent=spent, reserve=reserve, restart=restart)
        progress = self.limits.progress(
            step=step,
            elapsed=elapsed,
            spent=spent,
            reserve=reserve,
            restart=restart,
            step_seconds=OVERHEAD * (self.meter.step_seconds or 0.0),
        )
        return ending, progress

    def seconds_left(self, *, save: bool = True, score: bool = False, result: bool = True) -> float:
        """Seconds until the time or the dollar limit, minus the time for the remaining work.

        Args:
            save, score, result: whether the run still has to save the state, score the last weights, and write the
                result.
        """
        left = self.limits.seconds_left(elapsed=self.elapsed(), spent=self.ledger.dollars())
        if left == float("inf"):
            return left
        ahead = (self._save() if save else 0.0) + (self._evaluation() if score else 0.0) + self._upload()
        return left - ahead - (self._result() if result else 0.0) - self.ledger.exit_seconds - GUARD_SECONDS

    def seconds_to_go(self, step: int) -> float | None:
        """Seconds until the first limit at the present speed; None if that is not known."""
        left = self.limits.seconds_left(elapsed=self.elapsed(), spent=self.ledger.dollars())
        if self.limits.max_steps is not None and self.meter.step_seconds is not None:
            left = min(left, (self.limits.max_steps - step) * self.meter.step_seconds)
        return max(left, 0.0) if math.isfinite(left) else None

    def ending_seconds(self) -> float:
        """Seconds to save, to write the result, to copy both to a remote run, and to exit."""
        return self._save() + self._result() + self._upload() + self.ledger.exit_seconds

    def _evaluation(self) -> float:
        """Seconds to evaluate the last weights and to measure the result."""
        return 1.25 * (1.0 + self._closing) * (self.evaluation_seconds or self._guessed_evaluation())

    def _guessed_evaluation(self) -> float:
        """A forward pass costs a third of training (`ModelConfig.flops_per_token`); half is assumed, to be safe.

        Kernels and batches differ from those of training.
        """
        speed = self.meter.tokens_per_second
        return self._evaluation_tokens / (2 * speed) if speed else 0.0

    def _save(self) -> float:
        if self.save_seconds:
            return 2.0 * self.save_seconds
        return self._state_bytes / ASSUMED_BYTES_PER_SECOND + _SYNCS_OF_A_SAVE * self.ledger.sync_seconds

    def _result(self) -> float:
        """Seconds to write the result, estimated from the speed of the last save without its fixed part.

        The fixed part dominates small saves.
        """
        if not self._result_bytes:
            return 0.5 * self.save_seconds
        speed, flushes = ASSUMED_BYTES_PER_SECOND, 5 * self.ledger.sync_seconds
        if self.save_seconds:
            writing = max(self.save_seconds - _SMALLEST_SAVE_SECONDS, 0.1 * self.save_seconds)
            speed = self._state_bytes / writing
        return _FILES_SECONDS + flushes + 1.5 * self._result_bytes / max(speed, 1.0)

    def _upload(self) -> float:
        """Seconds to copy the last checkpoint and the result to a remote run; 0 for a local run."""
        if self._upload_seconds is None or not self.limits.timed:
            return 0.0
        return self._upload_seconds(self._state_bytes + self._result_bytes)

    def _restart(self) -> float:
        """Seconds that another attempt needs to start up and write the result if this one is killed.

        0 if a small budget leaves no money for that.
        """
        budget, rate = self.limits.budget_usd, self.limits.rate_usd_per_hour
        if budget is None:
            return 0.0
        seconds = self.ledger.startup_seconds + self._result() + KILLED_SECONDS
        return seconds if seconds / 3600 * rate <= RESTART_SHARE * budget else 0.0

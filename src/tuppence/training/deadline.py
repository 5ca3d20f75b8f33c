"""How much time and money a run has left, and how much of that its own ending will take.

`cost.limits` knows the limits; what one more step, evaluation and save cost is measured here as the run goes, so that
it ends early enough to save, and never passes its cap.
"""

from __future__ import annotations

from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.training.throughput import Meter


class Deadline:
    """The clock of one attempt, beside its limits.

    Args:
        closing: how many evaluations' time the measurement of the result takes, behind the last step.
        evaluation_tokens: of one evaluation: what it will take is guessed from the speed of training before the first.

    Attributes:
        elapsed_before: wall seconds of the earlier attempts that led here.
        evaluation_seconds, save_seconds: what the last evaluation and the last save took.
    """

    def __init__(
        self, limits: Limits, ledger: Ledger, meter: Meter, closing: float = 0.0, evaluation_tokens: int = 0
    ) -> None:
        self._limits, self._ledger, self._meter = limits, ledger, meter
        self._closing, self._evaluation_tokens = closing, evaluation_tokens
        self.elapsed_before = self.evaluation_seconds = self.save_seconds = 0.0

    def elapsed(self) -> float:
        """Wall seconds of the run, all attempts that led here."""
        return self.elapsed_before + self._ledger.seconds()

    def reached(self, step: int) -> tuple[str | None, float]:
        """Why the run ends before this step, or None; and how much of it is done, 0 to 1."""
        elapsed, spent, reserve = self.elapsed(), self._ledger.dollars(), self._reserve()
        ending = self._limits.reached(step=step, elapsed=elapsed, spent=spent, reserve=reserve)
        return ending, self._limits.progress(step=step, elapsed=elapsed, spent=spent, reserve=reserve)

    def seconds_left(self) -> float:
        """Seconds until the time or the dollar limit, less what saving takes."""
        left = self._limits.seconds_left(elapsed=self.elapsed(), spent=self._ledger.dollars())
        return left - 2.5 * self.save_seconds

    def _reserve(self) -> float:
        """Seconds that one more step, the last evaluation, the last save, the result and its measurement would take."""
        step, evaluations = self._meter.step_seconds or 0.0, 1.0 + self._closing
        evaluation = self.evaluation_seconds or self._guessed_evaluation()
        return 1.5 * step + 1.2 * evaluations * evaluation + 2.5 * self.save_seconds

    def _guessed_evaluation(self) -> float:
        """Reading costs a third of training (`ModelConfig.flops_per_token`); half, as kernels and batches differ."""
        speed = self._meter.tokens_per_second
        return self._evaluation_tokens / (2 * speed) if speed else 0.0

"""What a run tells: the live line, the rows of its metrics, and the texts it wrote on the way. Rank 0's alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from tuppence.core.json_lines import append_json
from tuppence.core.run import Run
from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.training.objective import Sample
from tuppence.training.progress import ProgressLine
from tuppence.training.state import State
from tuppence.training.throughput import Meter
from tuppence.training.tracking import Tracker


class Journal:
    """Writes and shows what the loop measures. On ranks other than 0 it does nothing.

    Args:
        open_trackers: called with the step from which the run continues.
        log_every: steps between two rows.
    """

    def __init__(
        self,
        *,
        run: Run,
        ledger: Ledger,
        limits: Limits,
        meter: Meter,
        open_trackers: Callable[[int], list[Tracker]],
        log_every: int,
        leads: bool,
    ) -> None:
        self.run, self.ledger, self.limits, self.meter = run, ledger, limits, meter
        self._open_trackers, self._log_every, self._leads = open_trackers, log_every, leads
        self._trackers: list[Tracker] = []
        self._loss = 0.0
        self.line = ProgressLine(silent=not leads)

    def open(self, step: int, marks: dict[str, int]) -> None:
        """Cuts the logs back to where a checkpoint was taken, and goes on from there."""
        if self._leads:
            self.run.rewind(marks, step)
            self._trackers = self._open_trackers(step)

    def close(self) -> None:
        for tracker in self._trackers:
            tracker.close()

    def step(self, state: State, elapsed: float, **latest: float) -> None:
        """Shows the newest step, and writes every `log_every`-th: its loss is the mean since the row before."""
        if state.window_targets:  # else no step since the row before has told its loss yet
            self._loss = state.window_loss / state.window_targets
        loss = self._loss
        to_go = self.seconds_to_go(state.step, elapsed)
        rate = self.limits.dollars_per_hour
        self.line.show(
            {
                **self._speed(),
                "step": state.step,
                "max_steps": self.limits.max_steps,
                "loss": loss,
                "val_loss": state.val_loss,
                "seconds_left": to_go,
                "rate": rate,
                "dollars": self.ledger.dollars(),
                "dollars_left": to_go / 3600 * rate if to_go is not None else None,
            }
        )
        if state.step % self._log_every == 0:
            means = {name: total / max(state.window_targets, 1) for name, total in state.window_metrics.items()}
            self._write(state, elapsed, {"loss": loss, **latest, **means})
            state.window_loss, state.window_targets, state.window_metrics = 0.0, 0, {}

    def evaluation(self, state: State, elapsed: float, samples: Iterable[Sample]) -> None:
        """One row and one line for an evaluation, and what the model wrote."""
        metrics = {f"val_{name}": value for name, value in state.val_metrics.items()}
        self._write(state, elapsed, {"val_loss": state.val_loss, **metrics})
        best = " (best so far)" if state.best_step == state.step else ""
        best = " (before training)" if state.step == 0 else best
        measured = "".join(f" · {name} {value:.3f}" for name, value in state.val_metrics.items())
        self.line.say(f"step {state.step} · validation loss {state.val_loss:.4f}{best}{measured}")
        for sample in samples:
            append_json(self.run.samples_file, {"step": state.step, "prompt": sample.prompt, "text": sample.text})
            self.line.say(f"  {sample.prompt}{sample.text}".replace("\n", "\n  "))

    def seconds_to_go(self, step: int, elapsed: float) -> float | None:
        """Until the first limit at the present speed; None where that is not known."""
        left = self.limits.seconds_left(elapsed=elapsed, spent=self.ledger.dollars())
        if self.limits.max_steps is not None and self.meter.step_seconds is not None:
            left = min(left, (self.limits.max_steps - step) * self.meter.step_seconds)
        return max(left, 0.0) if math.isfinite(left) else None

    def _speed(self) -> dict[str, float | None]:
        return {"tokens_per_second": self.meter.tokens_per_second, "mfu": self.meter.mfu}

    def _write(self, state: State, elapsed: float, values: dict[str, Any]) -> None:
        row = {
            "step": state.step,
            **values,
            "tokens": state.tokens,
            **self._speed(),
            "dollars": round(self.ledger.dollars(), 6),
            "seconds": round(elapsed, 3),
            **state.clock.as_dict(),
        }
        for tracker in self._trackers:
            tracker.log(row)

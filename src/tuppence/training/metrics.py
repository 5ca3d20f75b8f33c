"""Logs of a run: the live line, rows of metrics, samples. Does nothing on ranks other than 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tuppence.core.json_lines import append_json
from tuppence.core.run import Run
from tuppence.training.deadline import Deadline
from tuppence.training.objective import Sample
from tuppence.training.progress import ProgressLine
from tuppence.training.state import State
from tuppence.training.tracking import Tracker, open_trackers


class MetricsLogger:
    """Shows and writes what the loop measures.

    Args:
        run: the run folder.
        deadline: the run's limits, its ledger and its meter of speed.
        track: "none", "tensorboard" or "mlflow".
        log_every: steps between two rows.
        is_main: whether this is rank 0.
    """

    def __init__(
        self, run: Run, deadline: Deadline, *, track: str = "none", log_every: int = 1, is_main: bool = True
    ) -> None:
        self._run, self._deadline, self._track = run, deadline, track
        self._log_every, self._is_main = log_every, is_main
        self._trackers: list[Tracker] = []
        self._loss = 0.0
        self.line = ProgressLine(silent=not is_main)

    def open(self, step: int, marks: dict[str, int]) -> None:
        """Cuts the logs back to the checkpoint of `step`, and appends from there.

        Args:
            marks: the sizes of the logs at that checkpoint.
        """
        if self._is_main:
            self._run.rewind(marks, step)
            self._trackers = open_trackers(self._run, self._track, step)

    def close(self) -> None:
        for tracker in self._trackers:
            tracker.close()

    def say(self, text: str) -> None:
        """Prints a line above the live one."""
        if self._is_main:
            self.line.say(text)

    def step(self, state: State, **latest: float) -> None:
        """Shows the newest step, and writes a row every `log_every` steps: its loss is the mean since the row before.

        Args:
            latest: numbers of this step alone, such as the learning rate.
        """
        if not self._is_main:
            return
        if state.window_targets:  # else the device has not reported a loss since the row before
            self._loss = state.window_loss / state.window_targets
        loss, limits = self._loss, self._deadline.limits
        to_go = self._deadline.seconds_to_go(state.step)
        rate = limits.rate_usd_per_hour
        self.line.show(
            {
                **self._speed(),
                "step": state.step,
                "max_steps": limits.max_steps,
                "loss": loss,
                "val_loss": state.val_loss,
                "seconds_left": to_go,
                "rate": rate,
                "dollars": self._deadline.ledger.dollars(),
                "dollars_left": to_go / 3600 * rate if to_go is not None else None,
            }
        )
        if state.step % self._log_every == 0:
            means = {name: total / max(state.window_targets, 1) for name, total in state.window_metrics.items()}
            self._write(state, {"loss": loss, **latest, **means})
            state.window_loss, state.window_targets, state.window_metrics = 0.0, 0, {}

    def evaluation(self, state: State, samples: Iterable[Sample]) -> None:
        """Writes one row and one line for an evaluation, and the samples."""
        if not self._is_main:
            return
        metrics = {f"val_{name}": value for name, value in state.val_metrics.items()}
        self._write(state, {"val_loss": state.val_loss, **metrics})
        best = " (best so far)" if state.best_step == state.step else ""
        best = " (before training)" if state.step == 0 else best
        measured = "".join(f" · {name} {value:.3f}" for name, value in state.val_metrics.items())
        self.say(f"step {state.step} · validation loss {state.val_loss:.4f}{best}{measured}")
        for sample in samples:
            append_json(self._run.samples_file, {"step": state.step, "prompt": sample.prompt, "text": sample.text})
            self.say(f"  {sample.prompt}{sample.text}".replace("\n", "\n  "))

    def _speed(self) -> dict[str, float | None]:
        meter = self._deadline.meter
        return {"tokens_per_second": meter.tokens_per_second, "mfu": meter.mfu}

    def _write(self, state: State, values: dict[str, Any]) -> None:
        row = {
            "step": state.step,
            **values,
            "tokens": state.tokens,
            **self._speed(),
            "dollars": round(self._deadline.ledger.dollars(), 6),
            "seconds": round(self._deadline.elapsed(), 3),
            **state.clock.as_dict(),
        }
        for tracker in self._trackers:
            tracker.log(row)

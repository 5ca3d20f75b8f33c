"""Counts and scores of a run, saved in every checkpoint beside weights and optimizer state."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tuppence.core.errors import CorruptFileError
from tuppence.core.numbers import finite_or_none
from tuppence.training.throughput import Clock

RECENT_LOSSES = 20
_REQUIRED = ("step", "tokens", "elapsed", "clock")
"""Fields of every version; all others have defaults where a checkpoint of an earlier version lacks them."""

_FORMER_NAMES = {"without_gain": "evals_since_best"}


@dataclass
class State:
    """Counts and scores. Data order and random numbers are pure functions of (seed, step), so they need no state.

    Attributes:
        step: optimizer steps done; those that fp16 skipped count.
        tokens: tokens trained on, over all ranks, without those of skipped steps.
        elapsed: wall seconds of the run so far, over this attempt and those that it continues.
        best_val_loss, best_step: the lowest validation loss and its step.
        best_losses: `recent_losses` at the best evaluation.
        evaluated_step: the last step that was evaluated.
        evals_since_best: evaluations since the best one; only evaluations that the recipe asks for count.
        timed_tokens: tokens trained on in the time `clock.train`: all but the first step of each attempt.
        val_metrics, best_metrics: the objective's metrics besides the validation loss, at the last and at the best
            evaluation.
        window_loss, window_targets, window_metrics: summed loss, targets and metrics since the last logged row.
        recent_losses: training losses per target of the last `RECENT_LOSSES` steps.
        rate_factor: the share of the peak learning rate that the last step used.
        start_val_loss: validation loss before the first step; None if it was not measured.
    """

    step: int = 0
    tokens: int = 0
    timed_tokens: int = 0
    elapsed: float = 0.0
    best_val_loss: float | None = None
    best_step: int | None = None
    val_loss: float | None = None
    evaluated_step: int | None = None
    evals_since_best: int = 0
    val_metrics: dict[str, float] = field(default_factory=dict)
    best_metrics: dict[str, float] = field(default_factory=dict)
    window_loss: float = 0.0
    window_targets: int = 0
    window_metrics: dict[str, float] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    best_losses: list[float] = field(default_factory=list)
    recent_losses: list[float] = field(default_factory=list)
    rate_factor: float | None = None
    start_val_loss: float | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """Mean training speed of the whole run, without evaluation, checkpoints and start-up."""
        return self.timed_tokens / self.clock.train if self.timed_tokens and self.clock.train else None

    def count_outcome(self, tokens: int, targets: int, sums: dict[str, float]) -> None:
        """Adds the outcome of one step; it may arrive after later steps were started.

        Args:
            tokens: of all ranks and accumulation steps; 0 if the weights were not updated.
            targets: of all ranks and accumulation steps.
            sums: the loss and the metrics, summed over the targets.
        """
        self.tokens += tokens
        self.window_targets += targets
        self.recent_losses = [*self.recent_losses, sums["loss"] / max(targets, 1)][-RECENT_LOSSES:]
        for name, value in sums.items():
            if name == "loss":
                self.window_loss += value
            else:
                self.window_metrics[name] = self.window_metrics.get(name, 0.0) + value

    def losses_around_best(self) -> tuple[float, float] | None:
        """Mean training losses right before the best evaluation and right before now, over the same number of steps.

        None if there was no step since the best evaluation, or if the losses before it are not known.
        """
        count = min(self.step - (self.best_step or 0), len(self.best_losses), len(self.recent_losses))
        if count < 1:
            return None
        return sum(self.best_losses[-count:]) / count, sum(self.recent_losses[-count:]) / count

    def count_evaluation(self, scores: dict[str, float], *, asked_for: bool = True, may_be_best: bool = True) -> None:
        """Counts one evaluation.

        Args:
            scores: the loss, and the metrics by name.
            asked_for: whether the recipe asks for an evaluation at this step. The evaluation at a run's end is often
                extra; it does not count against patience when the run is continued.
            may_be_best: whether these weights may be the result.
        """
        loss, metrics = scores["loss"], {name: value for name, value in scores.items() if name != "loss"}
        self.evaluated_step, self.val_loss, self.val_metrics = self.step, loss, metrics
        if self.step == 0:
            self.start_val_loss = loss
        if not may_be_best:
            return
        if self.best_val_loss is None or loss < self.best_val_loss:
            self.best_val_loss, self.best_step, self.best_metrics = loss, self.step, metrics
            self.best_losses = self.recent_losses
            self.evals_since_best = 0
        elif asked_for:
            self.evals_since_best += 1

    def forget_scores(self) -> None:
        """Resets scores, speed and time, because they belong to another run."""
        fresh = State()
        for name in (
            *("best_val_loss", "best_step", "best_metrics", "best_losses", "val_loss", "val_metrics"),
            *("evaluated_step", "evals_since_best", "elapsed", "timed_tokens", "clock", "rate_factor", "recent_losses"),
            "start_val_loss",
            *("window_loss", "window_targets", "window_metrics"),
        ):
            setattr(self, name, getattr(fresh, name))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON; a metric that is not finite becomes None."""
        return dict(finite_or_none(asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> State:
        """The state that `as_dict` returned. Unknown keys are ignored; fields of later versions get their defaults.

        Raises:
            CorruptFileError: a value is missing or of the wrong kind.
        """
        try:
            named = {_FORMER_NAMES.get(name, name): value for name, value in values.items()}
            known = {f.name: named[f.name] for f in fields(cls) if f.name in named or f.name in _REQUIRED}
            for name in ("val_metrics", "best_metrics", "window_metrics"):
                metrics = known.get(name, {})
                known[name] = {key: math.nan if value is None else value for key, value in metrics.items()}
            if known.get("window_loss", 0.0) is None:
                known["window_loss"] = math.nan
            return cls(**{**known, "clock": Clock(**known["clock"])})
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptFileError(
                f"a checkpoint's state.json is incomplete: {error}", "use an older checkpoint"
            ) from error

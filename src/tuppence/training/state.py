"""What the loop remembers between steps, and keeps in every checkpoint beside weights and optimizer state."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tuppence.core.errors import CorruptFileError
from tuppence.training.throughput import Clock


@dataclass
class State:
    """Counts and scores. Data order and randomness are pure functions of (seed, step): nothing of them is here.

    Attributes:
        step: optimizer steps done.
        tokens: tokens trained on, over all ranks.
        elapsed: wall seconds of the run up to here, over all attempts that led here.
        best_val_loss, best_step: the lowest validation loss and where it was reached.
        evaluated_step: the last step that was evaluated.
        without_gain: evaluations since the best one.
        timed_tokens: those of `tokens` that `clock.train` timed: all but the first step of each attempt.
        val_metrics, best_metrics: what the objective measured beside the validation loss, at the last and at the best
            evaluation.
        window_loss, window_targets, window_metrics: summed loss, targets and metrics since the last logged row.
    """

    step: int = 0
    tokens: int = 0
    timed_tokens: int = 0
    elapsed: float = 0.0
    best_val_loss: float | None = None
    best_step: int | None = None
    val_loss: float | None = None
    evaluated_step: int | None = None
    without_gain: int = 0
    val_metrics: dict[str, float] = field(default_factory=dict)
    best_metrics: dict[str, float] = field(default_factory=dict)
    window_loss: float = 0.0
    window_targets: int = 0
    window_metrics: dict[str, float] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    @property
    def tokens_per_second(self) -> float | None:
        """Over the whole run, without evaluation, checkpoints and start-up."""
        return self.timed_tokens / self.clock.train if self.clock.train else None

    def count_step(self, tokens: int) -> None:
        """One optimizer step more.

        Args:
            tokens: of all ranks and accumulation steps.
        """
        self.step += 1
        self.tokens += tokens

    def count_sums(self, targets: int, sums: dict[str, float]) -> None:
        """What a step came to; it may be known after later steps were begun.

        Args:
            targets: of all ranks and accumulation steps.
            sums: the loss and the metrics, summed over the targets.
        """
        self.window_targets += targets
        for name, value in sums.items():
            if name == "loss":
                self.window_loss += value
            else:
                self.window_metrics[name] = self.window_metrics.get(name, 0.0) + value

    def count_evaluation(self, scores: dict[str, float]) -> None:
        """One evaluation more; `scores` has the loss, and the metrics by name."""
        loss, metrics = scores["loss"], {name: value for name, value in scores.items() if name != "loss"}
        self.evaluated_step, self.val_loss, self.val_metrics = self.step, loss, metrics
        if self.best_val_loss is None or loss < self.best_val_loss:
            self.best_val_loss, self.best_step, self.best_metrics = loss, self.step, metrics
            self.without_gain = 0
        else:
            self.without_gain += 1

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> State:
        """The state that `as_dict` gave; keys of a newer version are passed over.

        Raises:
            CorruptFileError: a value is missing or of the wrong kind.
        """
        try:
            known = {f.name: values[f.name] for f in fields(cls)}
            return cls(**{**known, "clock": Clock(**known["clock"])})
        except (KeyError, TypeError) as error:
            raise CorruptFileError(
                f"a checkpoint's state.json is incomplete: {error}", "use an older checkpoint"
            ) from error

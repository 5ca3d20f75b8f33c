"""What a task must hand to the loop. One small file in `tasks/` implements this for each objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from tuppence.data.buckets import IGNORED_TARGET

Batch = tuple[Tensor, ...]
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Sample:
    """A text the model wrote while it was trained."""

    prompt: str
    text: str


class Objective(ABC, Generic[Model]):
    """Batches, a loss and an evaluation.

    Most objectives are pure functions of their arguments, with nothing to save or replay. One that learns from what
    the model itself writes (PPO) makes that in `prepare`, and keeps it in `state`.

    Attributes:
        metrics: the names of the metrics that `loss` gives, always all of them.
        evaluation_metrics: those that it gives for held-out batches, where they are others; the model is then in
            evaluation mode.
        scores_start: whether the held-out batches are scored before the first step: where training starts from a
            model that may be better than the trained one.
        start_is_a_model: whether the weights before the first step may be the result; not where a head is new.
    """

    scores_start: bool = False
    start_is_a_model: bool = True
    metrics: tuple[str, ...] = ()
    evaluation_metrics: tuple[str, ...] | None = None

    @abstractmethod
    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        """The micro-batches of one optimizer step on one rank; their last tensor holds the targets.

        Every rank gives equally many, none of no rows: where data end, rows without a target fill up.
        """

    @abstractmethod
    def loss(self, model: Model, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The *sum* of the losses of a batch's targets, as a float32 scalar, and metrics as sums over targets."""

    @abstractmethod
    def evaluation(self) -> Iterator[Batch]:
        """The held-out batches, always the same; none where nothing is held out."""

    @abstractmethod
    def samples(self, model: Model) -> list[Sample]:
        """Texts that show what the model has learned; must not touch torch's global random state."""

    def tokens(self, batch: Batch) -> int:
        """How many tokens the model is trained on in a batch, padding left out: for speed, not for the loss."""
        return batch[0].numel()

    def evaluation_tokens(self) -> int:
        """How many tokens the model reads in one evaluation: for a guess at its time."""
        return sum(self.tokens(batch) for batch in self.evaluation())

    def prepare(self, step: int, model: Model) -> None:
        """Called before the batches of a step are asked for, with the weights of that moment.

        It may be cut short by a signal or the clock, and is then called again: what it changes, it changes at its end.
        """

    def gauges(self) -> dict[str, float]:
        """Numbers of this moment for the next row of metrics, beside the means that `loss` gives."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """What must survive a kill besides weights and optimizer; goes into every checkpoint."""
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Puts back what `state` gave.

        Raises:
            ValueError: it is not this objective's.
        """
        if tensors:
            raise ValueError(f"{next(iter(tensors))} belongs to another objective")


def count_targets(batch: Batch) -> int:
    """The number of valid targets of a batch: what its summed loss is to be divided by."""
    return int((batch[-1] != IGNORED_TARGET).sum())


class Sums:
    """Loss and metrics added up over batches, on the device: nothing waits for their values before the end.

    Args:
        metrics: the names of the metrics.
    """

    def __init__(self, metrics: tuple[str, ...], device: str) -> None:
        self.names = ("loss", *metrics)
        self._values = {name: torch.zeros((), device=device) for name in self.names}

    def add(self, loss: Tensor, metrics: dict[str, Tensor]) -> None:
        """One more batch, as `Objective.loss` gave it."""
        for name, value in {"loss": loss, **metrics}.items():
            self._values[name] = self._values[name] + value.detach()

    def as_tensor(self) -> Tensor:
        """The sums, in the order of `names`, on the device."""
        return torch.stack([value.float() for value in self._values.values()])

    def as_floats(self) -> list[float]:
        """The sums, in the order of `names`; waits for the device."""
        return [float(value) for value in self._values.values()]

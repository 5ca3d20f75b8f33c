"""The interface between a task and the loop. Each objective implements it in one small file in `tasks/`."""

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
    """A text that the model generated during training."""

    prompt: str
    text: str


class Objective(ABC, Generic[Model]):
    """Batches, a loss and an evaluation.

    Most objectives are pure functions of their arguments and have nothing to save or replay. PPO learns from texts that
    the model itself generates: it generates them in `prepare` and saves them in `state`.

    Attributes:
        metrics: the names of the metrics that `loss` always returns.
        evaluation_metrics: the names for held-out batches, with the model in evaluation mode; None: the same names.
        scores_start: whether to score the held-out batches before the first step, because training starts from a
            model that may be better than the trained one.
        start_is_a_model: whether the weights before the first step can be the result; False if a head is new.
    """

    scores_start: bool = False
    start_is_a_model: bool = True
    metrics: tuple[str, ...] = ()
    evaluation_metrics: tuple[str, ...] | None = None

    @abstractmethod
    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        """The micro-batches of one optimizer step on one rank; their last tensor holds the targets.

        Every rank returns the same number of batches, and no batch is empty: where the data end, rows without targets
        fill the batches.
        """

    @abstractmethod
    def loss(self, model: Model, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The *sum* of the losses of a batch's targets, as a float32 scalar, and metrics as sums over targets."""

    @abstractmethod
    def evaluation(self) -> Iterator[Batch]:
        """The held-out batches, the same at each call; empty if no data are held out."""

    @abstractmethod
    def samples(self, model: Model) -> list[Sample]:
        """Texts that show what the model has learned; must not touch torch's global random state."""

    def tokens(self, batch: Batch) -> int:
        """Number of training tokens in a batch without padding; used for the speed, not for the loss."""
        return batch[0].numel()

    def evaluation_tokens(self) -> int:
        """Number of tokens that the model reads in one evaluation; used to estimate its time."""
        return sum(self.tokens(batch) for batch in self.evaluation())

    def prepare(self, step: int, model: Model) -> None:
        """Called before `batches` of the same step, with the present weights.

        A signal or the clock can interrupt it; it is then called again. It must change its state only at its end.
        """

    def gauges(self) -> dict[str, float]:
        """Present values for the next row of metrics, besides the means of the metrics of `loss`."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """The state to save in every checkpoint besides weights and optimizer state."""
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Restores the state that `state` returned.

        Raises:
            ValueError: the state belongs to another objective.
        """
        if tensors:
            raise ValueError(f"{next(iter(tensors))} belongs to another objective")


def count_targets(batch: Batch) -> int:
    """The number of valid targets of a batch; the summed loss is divided by it."""
    return int((batch[-1] != IGNORED_TARGET).sum())


class Sums:
    """Loss and metrics added up over batches on the device, without waiting for their values.

    Args:
        metrics: the names of the metrics.
    """

    def __init__(self, metrics: tuple[str, ...], device: str) -> None:
        self.names = ("loss", *metrics)
        self._values = {name: torch.zeros((), device=device) for name in self.names}

    def add(self, loss: Tensor, metrics: dict[str, Tensor]) -> None:
        """Adds one batch, as returned by `Objective.loss`."""
        for name, value in {"loss": loss, **metrics}.items():
            self._values[name] = self._values[name] + value.detach()

    def as_tensor(self) -> Tensor:
        """The sums, in the order of `names`, on the device."""
        return torch.stack([value.float() for value in self._values.values()])

    def as_floats(self) -> list[float]:
        """The sums, in the order of `names`; waits for the device."""
        return [float(value) for value in self._values.values()]

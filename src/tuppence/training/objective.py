"""What a task must hand to the loop. One small file in `tasks/` implements this for each objective."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

Batch = tuple[Tensor, ...]
IGNORED_TARGET = -100


@dataclass(frozen=True)
class Sample:
    """A text the model wrote while it was trained."""

    prompt: str
    text: str


class Objective(Protocol):
    """Batches, a loss and an evaluation. Everything is a pure function of its arguments: nothing to save or replay."""

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        """The micro-batches of one optimizer step on one rank; their last tensor holds the targets."""
        ...

    def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The *sum* of the losses of a batch's targets, as a float32 scalar, and metrics as sums over targets."""
        ...

    def evaluation(self) -> Iterator[Batch]:
        """The held-out batches, always the same; none where nothing is held out."""
        ...

    def samples(self, model: nn.Module) -> list[Sample]:
        """Texts that show what the model has learned; must not touch torch's global random state."""
        ...


def count_targets(batch: Batch) -> int:
    """The number of valid targets of a batch: what its summed loss is to be divided by."""
    return int((batch[-1] != IGNORED_TARGET).sum())

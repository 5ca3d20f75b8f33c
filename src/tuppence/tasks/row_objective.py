"""`RowObjective`: the batches of all objectives that learn from rows of different lengths."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch

from tuppence.data.buckets import IGNORED_TARGET, Array, Buckets, batches_by_length
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Model, Objective


class EncodedRow(Protocol):
    """A row as the model reads it."""

    @property
    def ids(self) -> Array: ...


Row = TypeVar("Row", bound=EncodedRow)


def lengths_of(rows: Sequence[EncodedRow]) -> Array:
    """The length of each row in tokens, int64."""
    return np.array([len(row.ids) for row in rows], dtype=np.int64)


class RowObjective(Objective[Model], Generic[Row, Model]):
    """An objective over rows. Training batches have rows of similar length; held-out batches begin with the longest.

    Args:
        train, val: the encoded training rows and held-out rows.
    """

    def __init__(self, train: Sequence[Row], val: Sequence[Row], config: TrainConfig) -> None:
        self._train, self._val, self._config = train, val, config
        self._buckets = Buckets(
            lengths_of(train),
            batch_size=config.batch_size,
            seed=config.seed,
            accumulation_steps=config.accumulation_steps,
        )

    @abstractmethod
    def collate(self, rows: Sequence[Row]) -> Batch:
        """One padded batch of one or more rows; its last tensor holds the targets."""

    def training_row(self, step: int, number: int) -> Row:
        """The row as it is used in a training step."""
        return self._train[number]

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        return [self._batch(step, numbers) for numbers in self._buckets.step(step, rank, world_size)]

    def evaluation(self) -> Iterator[Batch]:
        for numbers in batches_by_length(lengths_of(self._val), self._config.batch_size):
            yield self.collate([self._val[number] for number in numbers])

    def _batch(self, step: int, numbers: Any) -> Batch:
        if len(numbers):
            return self.collate([self.training_row(step, int(number)) for number in numbers])
        *inputs, targets = self.collate([self._train[0]])  # the epoch's last batch had fewer rows than ranks
        return (*inputs, torch.full_like(targets, IGNORED_TARGET))

"""Batches of examples of different lengths, as a pure function of (seed, step, rank, world size): no state is saved.

Examples of one batch are padded to the longest of them, so a batch should hold examples of similar length. But batches
must differ between epochs, and training must not follow the order of lengths. Each epoch is therefore made in three
steps: the examples are permuted; every `bucket_batches` global batches of them are sorted by length and cut into global
batches; the global batches are permuted. A *global* batch is what all ranks and accumulation steps use in one step. The
order is the same whether 8 examples come from 8 ranks, from 8 accumulation steps or from one batch.

This file returns indices of examples and pads arrays; the caller holds the examples.
`batches` does the same for a corpus of windows of one length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuppence.core.errors import InputError
from tuppence.data.batches import permute

Array = np.ndarray[Any, np.dtype[np.int64]]

IGNORED_TARGET = -100
"""The target of a position that is not trained or scored: torch's `ignore_index`, and transformers' label."""


class Buckets:
    """The training batches of a list of examples.

    Every example occurs exactly once per epoch. If the number of examples is not a multiple of the global batch, one
    global batch of the epoch is smaller. It is distributed over all ranks and accumulation steps; if it has fewer
    examples than these, some get none.

    Args:
        lengths: the length of each example, in tokens.
        batch_size: B, examples per rank and accumulation step.
        seed: determines the order; not negative.
        accumulation_steps: batches per rank and step.
        bucket_batches: number of global batches that are sorted together. More batches save padding, and mix less.

    Raises:
        InputError: there is no example, or the seed is negative.

    Example:
        >>> buckets = Buckets(np.array([3, 9, 4, 8]), batch_size=2, seed=0)
        >>> sorted(sorted(buckets.step(step)[0].tolist()) for step in range(2))
        [[0, 2], [1, 3]]
    """

    def __init__(
        self,
        lengths: Array,
        *,
        batch_size: int,
        seed: int,
        accumulation_steps: int = 1,
        bucket_batches: int = 32,
    ) -> None:
        if len(lengths) == 0:
            raise InputError("there is no example to train on", "check the data file")
        if seed < 0:
            raise InputError(f"seed {seed} is negative", "choose a seed of at least 0")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_size = batch_size
        self.accumulation_steps = accumulation_steps
        self.seed = seed
        self.bucket_batches = bucket_batches
        self._last: tuple[tuple[int, int], list[Array]] | None = None  # the epoch in use, sorted once

    def step(self, step: int, rank: int = 0, world_size: int = 1) -> list[Array]:
        """Returns the examples of one rank in a step; steps are counted from 0.

        Returns:
            `accumulation_steps` arrays of example numbers, int64, of `batch_size` each. In the smaller batch of an
            epoch, arrays are shorter and can be empty.
        """
        epoch, place = divmod(step, self.steps_per_epoch(world_size))
        shares = np.array_split(self._epoch(epoch, world_size)[place], self.accumulation_steps * world_size)
        return shares[rank::world_size]

    def steps_per_epoch(self, world_size: int = 1) -> int:
        """Returns the number of global batches of an epoch, including the smaller one."""
        return -(-len(self.lengths) // self._global_batch(world_size))

    def _global_batch(self, world_size: int) -> int:
        return self.batch_size * self.accumulation_steps * world_size

    def _epoch(self, epoch: int, world_size: int) -> list[Array]:
        """The global batches of an epoch, in order."""
        key = (epoch, self._global_batch(world_size))
        if self._last is None or self._last[0] != key:
            self._last = (key, self._shuffled_batches(epoch, self._global_batch(world_size)))
        return self._last[1]

    def _shuffled_batches(self, epoch: int, size: int) -> list[Array]:
        examples = len(self.lengths)
        # an even and an odd "epoch" of the permutation: the order of examples, and that of batches
        shuffled = permute(np.arange(examples), examples, self.seed, 2 * epoch)
        batches: list[Array] = []
        for start in range(0, examples, size * self.bucket_batches):
            bucket = shuffled[start : start + size * self.bucket_batches]
            by_length = bucket[np.argsort(self.lengths[bucket], kind="stable")]
            batches += [by_length[first : first + size] for first in range(0, len(by_length), size)]
        order = permute(np.arange(len(batches)), len(batches), self.seed, 2 * epoch + 1)
        return [batches[place] for place in order]


def batches_by_length(lengths: Array, batch_size: int) -> list[Array]:
    """Returns batches for evaluation: every example once, the longest first, so that the first batch needs the most
    memory.

    Returns:
        Arrays of example numbers, int64, of `batch_size` each; the last one can be smaller.

    Example:
        >>> [batch.tolist() for batch in batches_by_length(np.array([3, 9, 4]), batch_size=2)]
        [[1, 2], [0]]
    """
    longest_first = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    return [longest_first[start : start + batch_size] for start in range(0, len(longest_first), batch_size)]


def pad(rows: Sequence[Array], value: int, multiple: int = 8, *, limit: int | None = None) -> Array:
    """Stacks rows of different lengths, padded at the right.

    Args:
        rows: B arrays of one dimension.
        value: the value of the padding.
        multiple: the width is rounded up to a multiple of this, so that kernels and compiled graphs see fewer shapes.
        limit: the width is not rounded up above this, a model's context length.

    Returns:
        int64, (B, T); T is the length of the longest row, rounded up.

    Example:
        >>> pad([np.array([5, 6, 7]), np.array([8])], value=0, multiple=4)
        array([[5, 6, 7, 0],
               [8, 0, 0, 0]])
    """
    longest = max((len(row) for row in rows), default=0)
    width = -(-max(longest, 1) // multiple) * multiple
    if limit is not None:
        width = max(longest, min(width, limit))
    padded = np.full((len(rows), width), value, dtype=np.int64)
    for row, content in enumerate(rows):
        padded[row, : len(content)] = content
    return padded

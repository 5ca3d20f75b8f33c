"""Batches as a pure function of (seed, step, rank, world size): resuming needs no saved state and no replay.

The corpus is cut into non-overlapping windows of `context_length` tokens. Sequences are numbered over all steps,
accumulation steps and ranks. Sequence g reads window `permutation(seed, g // windows)[g % windows]`. Every epoch
therefore reads each window once, in a new order. The order is the same whether 8 sequences come from 8 ranks, from 8
accumulation steps or from one batch.

The permutation is never stored. It is a keyed Feistel network over a grid slightly larger than the number of windows,
applied until the result is inside (Black & Rogaway 2002, "Ciphers with arbitrary finite domains"). Any position of any
epoch costs a fraction of a millisecond and no memory, for ten windows or ten billion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tuppence.core.errors import InputError
from tuppence.data.shards import TokenShards

Array = np.ndarray[Any, np.dtype[np.int64]]

_ROUNDS = 8


def permute(positions: Array, size: int, seed: int, epoch: int) -> Array:
    """Returns the images of `positions` under a pseudo-random permutation of `range(size)`.

    Args:
        positions: int64, each in 0..size-1.
        size: length of the permuted range.
        seed, epoch: determine the permutation.

    Returns:
        int64 of the same shape.

    Example:
        >>> sorted(permute(np.arange(10), 10, seed=0, epoch=0).tolist())
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    rows = math.isqrt(size - 1) + 1
    columns = -(-size // rows)  # rows * columns is less than size + rows, so a second round is rare
    keys = np.random.SeedSequence([seed, epoch]).generate_state(_ROUNDS, np.uint64)
    images = _feistel(positions.astype(np.uint64), rows, columns, keys)
    while (outside := images >= size).any():
        images[outside] = _feistel(images[outside], rows, columns, keys)
    windows: Array = images.astype(np.int64)
    return windows


def _feistel(values: Any, rows: int, columns: int, keys: Any) -> Any:
    """A Feistel network over rows x columns: each round shifts one coordinate by a hash of the other. A shift can be
    undone, so the network is a bijection for any hash."""
    row, column = values // np.uint64(columns), values % np.uint64(columns)
    for row_key, column_key in zip(keys[::2], keys[1::2], strict=True):
        row = (row + _mix(column, row_key) % np.uint64(rows)) % np.uint64(rows)
        column = (column + _mix(row, column_key) % np.uint64(columns)) % np.uint64(columns)
    return row * np.uint64(columns) + column


def _mix(values: Any, key: Any) -> Any:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014) over value and key, in arithmetic modulo 2^64."""
    mixed = (values + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


class Batches:
    """The training batches of a corpus.

    Args:
        shards: the split to read.
        context_length: T, number of input tokens of a sequence.
        batch_size: B, sequences per rank and accumulation step.
        seed: determines the order; not negative.
        accumulation_steps: batches per rank and step.

    Raises:
        InputError: the corpus is shorter than one window, or the seed is negative.

    Attributes:
        windows_per_epoch: non-overlapping windows in the corpus, each of `context_length` inputs and as many
            targets (the last target is the first input of the next window).
    """

    def __init__(
        self,
        shards: TokenShards,
        *,
        context_length: int,
        batch_size: int,
        seed: int,
        accumulation_steps: int = 1,
    ) -> None:
        _require_window(shards, context_length)
        if seed < 0:
            raise InputError(f"seed {seed} is negative", "choose a seed of at least 0")
        self.shards = shards
        self.context_length = context_length
        self.batch_size = batch_size
        self.seed = seed
        self.accumulation_steps = accumulation_steps
        self.windows_per_epoch = (len(shards) - 1) // context_length

    def step(self, step: int, rank: int = 0, world_size: int = 1) -> list[tuple[Array, Array]]:
        """Returns the batches of one rank in a step; steps are counted from 0.

        Returns:
            `accumulation_steps` pairs (inputs_BT, targets_BT), int64; targets are the inputs' next tokens.
        """
        windows_AB = self.windows(step, rank, world_size)
        return [_stack(self.shards, windows_B * self.context_length, self.context_length) for windows_B in windows_AB]

    def windows(self, step: int, rank: int = 0, world_size: int = 1) -> Array:
        """Returns the numbers of the windows in a step, (accumulation_steps, batch_size)."""
        per_micro_batch = self.batch_size * world_size
        first = (step * self.accumulation_steps) * per_micro_batch + rank * self.batch_size
        offsets_A = np.arange(self.accumulation_steps, dtype=np.int64) * per_micro_batch
        sequence_AB = first + offsets_A[:, None] + np.arange(self.batch_size, dtype=np.int64)
        epoch_AB, position_AB = np.divmod(sequence_AB, self.windows_per_epoch)
        windows_AB = np.empty_like(position_AB)
        for epoch in np.unique(epoch_AB):
            here = epoch_AB == epoch
            windows_AB[here] = permute(position_AB[here], self.windows_per_epoch, self.seed, int(epoch))
        return windows_AB


def evaluation_batches(
    shards: TokenShards, *, context_length: int, batch_size: int, max_windows: int | None = None
) -> Iterator[tuple[Array, Array]]:
    """Yields the batches of a whole split in order. Every target occurs once.

    Args:
        shards: the split to read.
        context_length: T.
        batch_size: B; the last batch may be smaller.
        max_windows: largest number of windows, spread evenly over the split; by default all, and then the tokens after
            the last whole window, too, as a batch of one shorter sequence.

    Yields:
        (inputs_BT, targets_BT), int64.

    Raises:
        InputError: the split has fewer than two tokens.
    """
    targets = len(shards) - 1
    if targets < 1:
        _require_window(shards, 1)
    windows = targets // context_length
    starts = np.arange(windows, dtype=np.int64) * context_length
    limit = windows if max_windows is None else min(max_windows, windows)
    if limit < windows:
        starts = starts[np.arange(limit, dtype=np.int64) * windows // limit]
    for first in range(0, len(starts), batch_size):
        yield _stack(shards, starts[first : first + batch_size], context_length)
    rest = targets % context_length
    if rest and limit == windows:
        yield _stack(shards, np.array([targets - rest]), rest)


def _stack(shards: TokenShards, starts_B: Array, length: int) -> tuple[Array, Array]:
    tokens = np.stack([shards.window(int(start), length + 1) for start in starts_B])
    return np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:])


def _require_window(shards: TokenShards, context_length: int) -> None:
    if len(shards) < context_length + 1:
        raise InputError(
            f"{shards.folder} has {len(shards):,} tokens in its '{shards.split}' split, fewer than one window of"
            f" {context_length:,} and its target",
            "use more text, or a smaller model.context_length",
        )

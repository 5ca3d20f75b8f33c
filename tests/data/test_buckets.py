"""The order of training examples is a pure function, independent of the number of ranks, with little padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.data.buckets import Buckets, batches_by_length, pad

LENGTHS = st.lists(st.integers(0, 200), min_size=1, max_size=150).map(np.array)


def gather(buckets: Buckets, step: int, ranks: int) -> list[int]:
    """The examples that all ranks use in one step."""
    return [int(number) for rank in range(ranks) for part in buckets.step(step, rank, ranks) for number in part]


@given(
    lengths=LENGTHS,
    batch_size=st.integers(1, 5),
    accumulation=st.integers(1, 3),
    ranks=st.integers(1, 3),
    seed=st.integers(0, 2**40),
    bucket_batches=st.integers(1, 8),
)
def test_an_epoch_contains_every_example_once(
    lengths: Any, batch_size: int, accumulation: int, ranks: int, seed: int, bucket_batches: int
) -> None:
    buckets = Buckets(
        lengths,
        batch_size=batch_size,
        accumulation_steps=accumulation,
        seed=seed,
        bucket_batches=bucket_batches,
    )
    steps = buckets.steps_per_epoch(ranks)
    assert (steps - 1) * batch_size * accumulation * ranks < len(lengths) <= steps * batch_size * accumulation * ranks
    for epoch in range(3):
        seen = [number for step in range(steps) for number in gather(buckets, epoch * steps + step, ranks)]
        assert sorted(seen) == list(range(len(lengths)))
    for rank in range(ranks):
        parts = buckets.step(0, rank, ranks)
        assert len(parts) == accumulation
        assert all(len(part) <= batch_size and part.dtype == np.int64 for part in parts)


@given(lengths=LENGTHS, seed=st.integers(0, 99), step=st.integers(0, 60))
def test_the_global_order_is_the_same_for_ranks_and_accumulation(lengths: Any, seed: int, step: int) -> None:
    def used(batch_size: int, accumulation: int, ranks: int) -> list[int]:
        buckets = Buckets(lengths, batch_size=batch_size, accumulation_steps=accumulation, seed=seed, bucket_batches=4)
        return sorted(gather(buckets, step, ranks))

    whole = used(8, 1, 1)
    assert used(1, 8, 1) == used(1, 1, 8) == used(2, 2, 2) == used(4, 1, 2) == whole


def test_a_step_is_independent_of_earlier_steps() -> None:
    lengths = np.arange(50) % 13

    def step(number: int, *, after: int) -> list[Any]:
        buckets = Buckets(lengths, batch_size=3, accumulation_steps=2, seed=1, bucket_batches=2)
        for earlier in range(after):
            buckets.step(earlier)
        return [part.tolist() for part in buckets.step(number)]

    for number in (0, 8, 9, 40):
        assert step(number, after=0) == step(number, after=number) == step(number, after=60)


def test_batches_differ_between_epochs_and_between_seeds() -> None:
    def first_epoch(seed: int, epoch: int) -> set[tuple[int, ...]]:
        buckets = Buckets(np.arange(400) % 40, batch_size=4, seed=seed)
        return {tuple(buckets.step(epoch * 100 + step)[0].tolist()) for step in range(100)}

    base = first_epoch(0, 0)
    for other in (first_epoch(0, 1), first_epoch(1, 0)):
        assert len(base & other) < 5


def test_the_lengths_of_batches_are_not_sorted() -> None:
    lengths = np.arange(3200)
    buckets = Buckets(lengths, batch_size=4, seed=0)
    means = np.array([lengths[buckets.step(step)[0]].mean() for step in range(800)])
    assert abs(np.corrcoef(means, np.arange(800))[0, 1]) < 0.1
    assert 0.4 < (np.diff(means) > 0).mean() < 0.6


def test_simultaneous_batches_of_ranks_have_similar_lengths() -> None:
    buckets = Buckets(np.arange(240), batch_size=2, accumulation_steps=4, seed=0)
    for step in range(buckets.steps_per_epoch(3)):
        first, *_, last = zip(*(buckets.step(step, rank, 3) for rank in range(3)), strict=True)
        assert np.concatenate(first).max() < np.concatenate(last).min()


def padding_share(lengths: Any, batches: list[Any]) -> float:
    padded = sum(lengths[batch].max() * len(batch) for batch in batches)
    return float(1 - lengths.sum() / padded)


def test_batches_of_similar_lengths_have_little_padding() -> None:
    lengths = np.random.default_rng(0).geometric(0.02, size=5000) + 10
    buckets = Buckets(lengths, batch_size=8, seed=0)
    sorted_share = padding_share(lengths, [buckets.step(step)[0] for step in range(buckets.steps_per_epoch())])
    shuffled = np.random.default_rng(1).permutation(5000)
    random_share = padding_share(lengths, [shuffled[start : start + 8] for start in range(0, 5000, 8)])
    assert random_share > 0.5
    assert sorted_share < 0.1


def test_the_number_of_steps_of_an_epoch_is_rounded_up() -> None:
    buckets = Buckets(np.ones(25), batch_size=2, accumulation_steps=2, seed=0)
    assert buckets.steps_per_epoch() == 7
    assert buckets.steps_per_epoch(world_size=2) == 4


@pytest.mark.parametrize(("count", "seed", "message"), [(0, 0, "no example to train on"), (3, -1, "seed -1 is neg")])
def test_impossible_requests_are_refused(count: int, seed: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Buckets(np.ones(count), batch_size=1, seed=seed)


@given(lengths=LENGTHS, batch_size=st.integers(1, 9))
def test_evaluation_scores_every_example_once_and_the_longest_first(lengths: Any, batch_size: int) -> None:
    batches = batches_by_length(lengths, batch_size)
    order = np.concatenate(batches)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) <= 0).all()
    assert all(len(batch) == batch_size for batch in batches[:-1])


@given(sizes=st.lists(st.integers(0, 20), max_size=5), multiple=st.integers(1, 9), limit=st.integers(20, 30))
def test_padding_follows_the_tokens_of_every_row(sizes: list[int], multiple: int, limit: int) -> None:
    rows = [np.arange(1, size + 1) for size in sizes]
    padded = pad(rows, -100, multiple, limit=limit)
    longest = max(sizes, default=0)
    assert padded.dtype == np.int64
    assert padded.shape[0] == len(sizes)
    assert longest <= padded.shape[1] <= limit
    assert padded.shape[1] % multiple == 0 or padded.shape[1] == limit
    assert padded.shape[1] - longest < multiple + (longest == 0)
    for row, size in zip(padded, sizes, strict=True):
        assert row[:size].tolist() == list(range(1, size + 1))
        assert (row[size:] == -100).all()

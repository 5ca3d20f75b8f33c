"""The order of training windows is a pure function, uniform, and independent of the number of ranks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.data.batches import Batches, evaluation_batches, permute
from tuppence.data.shards import TokenShards


@pytest.fixture
def shards(make_shards: Any) -> TokenShards:
    """1,001 different tokens in several shards: each token is its own position."""
    documents = [list(range(start, start + 99)) for start in range(300, 1300, 100)]
    return TokenShards.open(make_shards(documents, shard_tokens=150, vocab_size=2000))


@settings(deadline=None)
@given(size=st.integers(1, 3000), seed=st.integers(0, 2**63), epoch=st.integers(0, 10**6))
def test_the_order_of_windows_is_a_permutation(size: int, seed: int, epoch: int) -> None:
    assert sorted(permute(np.arange(size), size, seed, epoch).tolist()) == list(range(size))


def assert_uniform(counts: Any) -> None:
    """Chi-square against equal shares, at 5 standard deviations."""
    expected = counts.sum() / len(counts)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < (len(counts) - 1) + 5 * (2 * (len(counts) - 1)) ** 0.5


@pytest.mark.parametrize("size", [5, 17, 64, 200])
def test_every_window_is_equally_likely_at_every_position(size: int) -> None:
    orders = np.array([permute(np.arange(size), size, 7, epoch) for epoch in range(2000)])
    for position in (0, size // 2, size - 1):
        assert_uniform(np.bincount(orders[:, position], minlength=size))


@pytest.mark.parametrize("size", [3, 4])
def test_all_orders_of_a_few_windows_are_equally_likely(size: int) -> None:
    orders = [tuple(permute(np.arange(size), size, 7, epoch).tolist()) for epoch in range(3000)]
    counts = [orders.count(order) for order in itertools.permutations(range(size))]
    assert_uniform(np.array(counts))


def test_distances_of_neighbouring_windows_are_those_of_a_random_order() -> None:
    size = 100_000
    steps = np.diff(permute(np.arange(size), size, 1, 0))
    ranks = np.abs(steps).mean() / size  # the mean distance of two random places is a third of the range
    assert abs(ranks - 1 / 3) < 0.005
    assert len(np.unique(steps % 1024)) == 1024


def test_orders_of_two_epochs_or_seeds_are_uncorrelated() -> None:
    size = 10_000
    base = permute(np.arange(size), size, 0, 0)
    for seed, epoch in ((0, 1), (1, 0)):
        other = permute(np.arange(size), size, seed, epoch)
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.05
        assert (base == other).sum() < 10


def test_memory_does_not_grow_with_the_number_of_windows() -> None:
    size = 10**13
    images = permute(np.array([0, 1, size - 1]), size, 0, 0)
    assert len(set(images.tolist())) == 3
    assert all(0 <= image < size for image in images)


def test_an_epoch_contains_every_window_once(shards: TokenShards) -> None:
    batches = Batches(shards, context_length=10, batch_size=7, seed=3)
    assert batches.windows_per_epoch == (len(shards) - 1) // 10
    seen = itertools.chain.from_iterable(batches.windows(step).ravel().tolist() for step in range(200))
    for _ in range(5):
        epoch = list(itertools.islice(seen, batches.windows_per_epoch))
        assert sorted(epoch) == list(range(batches.windows_per_epoch))


@pytest.mark.parametrize(("ranks", "accumulation"), [(8, 1), (1, 8), (2, 4), (4, 2)])
def test_the_global_order_is_the_same_for_ranks_and_accumulation(
    shards: TokenShards, ranks: int, accumulation: int
) -> None:
    whole = Batches(shards, context_length=10, batch_size=16, seed=5)
    parts = Batches(shards, context_length=10, batch_size=2, seed=5, accumulation_steps=accumulation)
    for step in (0, 1, 6, 50):
        together = np.stack([parts.windows(step, rank, ranks) for rank in range(ranks)], axis=1)
        assert together.ravel().tolist() == whole.windows(step).ravel().tolist()


def test_a_step_is_independent_of_earlier_steps(shards: TokenShards) -> None:
    def step(number: int) -> list[Any]:
        batches = Batches(shards, context_length=16, batch_size=3, seed=1, accumulation_steps=2)
        for earlier in range(number % 3):
            batches.step(earlier)
        return [array.tolist() for pair in batches.step(number) for array in pair]

    assert [step(number) for number in range(5)] == [step(number + 3 - 3) for number in range(5)]
    assert step(0) != step(1)


def test_targets_are_the_inputs_shifted_by_one(shards: TokenShards) -> None:
    batches = Batches(shards, context_length=12, batch_size=4, seed=0, accumulation_steps=2)
    pairs = batches.step(3)
    assert len(pairs) == 2
    for (inputs_BT, targets_BT), windows_B in zip(pairs, batches.windows(3), strict=True):
        assert inputs_BT.shape == targets_BT.shape == (4, 12)
        assert inputs_BT.dtype == targets_BT.dtype == np.int64
        for inputs_T, targets_T, window in zip(inputs_BT, targets_BT, windows_B, strict=True):
            whole = shards.window(int(window) * 12, 13).tolist()
            assert [*inputs_T.tolist(), targets_T[-1]] == whole
            assert targets_T.tolist() == whole[1:]


@pytest.mark.parametrize("context_length", [999, 1000, 5000])
def test_a_corpus_shorter_than_the_context_is_refused(shards: TokenShards, context_length: int) -> None:
    if context_length < len(shards):
        assert Batches(shards, context_length=context_length, batch_size=1, seed=0).windows_per_epoch == 1
        return
    with pytest.raises(InputError, match=r"1,000 tokens in its 'train' split, fewer than one window of"):
        Batches(shards, context_length=context_length, batch_size=1, seed=0)


def test_a_negative_seed_is_refused(shards: TokenShards) -> None:
    with pytest.raises(InputError, match="seed -1 is negative"):
        Batches(shards, context_length=10, batch_size=1, seed=-1)


@pytest.mark.parametrize(("context_length", "batch_size"), [(10, 7), (37, 3), (999, 2), (1500, 2), (1, 64)])
def test_evaluation_scores_every_target_once_in_order(
    shards: TokenShards, context_length: int, batch_size: int
) -> None:
    batches = list(evaluation_batches(shards, context_length=context_length, batch_size=batch_size))
    targets = np.concatenate([targets_BT.ravel() for _, targets_BT in batches])
    inputs = np.concatenate([inputs_BT.ravel() for inputs_BT, _ in batches])
    everything = shards.window(0, len(shards))
    assert targets.tolist() == everything[1:].tolist()
    assert inputs.tolist() == everything[:-1].tolist()
    assert all(len(inputs_BT) <= batch_size for inputs_BT, _ in batches)


def test_a_limited_evaluation_samples_the_whole_split(shards: TokenShards) -> None:
    batches = list(evaluation_batches(shards, context_length=10, batch_size=2, max_windows=3))
    assert [inputs_BT.shape for inputs_BT, _ in batches] == [(2, 10), (1, 10)]
    starts = [shards.window(start, 1)[0] for start in (0, 330, 660)]
    assert [row[0] for inputs_BT, _ in batches for row in inputs_BT] == starts


def test_a_split_without_a_target_is_refused(make_shards: Any) -> None:
    with pytest.raises(InputError, match="1 tokens in its 'train' split"):
        list(evaluation_batches(TokenShards.open(make_shards([[]])), context_length=4, batch_size=1))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.data.buckets import IGNORED_TARGET
from tuppence.evaluation.scoring.windows import batches, windows


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[np.ndarray], int, int]:
    tokens = np.arange(draw(st.integers(0, 60)))
    cuts = sorted(draw(st.lists(st.integers(0, len(tokens)), max_size=5)))
    context_length = draw(st.integers(1, 12))
    return np.split(tokens, cuts), context_length, draw(st.integers(1, context_length))


def as_in_the_guide(tokens: np.ndarray, context_length: int, stride: int) -> list[tuple[list[int], list[int]]]:
    """The loop of the Hugging Face guide on fixed-length models, over inputs and their next tokens."""
    expected, scored_to = [], 1
    for begin in range(0, len(tokens) - 1, stride):
        end = min(begin + context_length, len(tokens) - 1)
        targets = [int(tokens[i + 1]) if i + 1 >= scored_to else IGNORED_TARGET for i in range(begin, end)]
        expected.append((tokens[begin:end].tolist(), targets))
        scored_to = end + 1
        if end == len(tokens) - 1:
            break
    return expected


@given(streams())
def test_windows_equal_those_of_the_guide_for_any_pieces_of_the_stream(case: tuple[list[np.ndarray], int, int]) -> None:
    pieces, context_length, stride = case
    cut = [(inputs.tolist(), targets.tolist()) for inputs, targets in windows(pieces, context_length, stride)]
    assert cut == as_in_the_guide(np.concatenate(pieces), context_length, stride)


@given(streams())
def test_every_token_except_the_first_is_a_target_once_with_the_documented_context(
    case: tuple[list[np.ndarray], int, int],
) -> None:
    pieces, context_length, stride = case
    seen = []
    for inputs, targets in windows(pieces, context_length, stride):
        assert 1 <= len(inputs) <= context_length
        for position, target in enumerate(targets):
            if target != IGNORED_TARGET:
                seen.append(int(target))
                assert position + 1 >= min(int(target), context_length - stride + 1)
    assert seen == list(range(1, sum(map(len, pieces))))


def test_padding_of_stacked_windows_is_not_scored() -> None:
    cut = [
        (np.array([1, 2, 3]), np.array([2, 3, 4])),
        (np.array([5]), np.array([6])),
        (np.array([7]), np.array([8])),
    ]
    first, second = batches(iter(cut), 2)
    assert first[0].tolist() == [[1, 2, 3], [5, 0, 0]]
    assert first[1].tolist() == [[2, 3, 4], [6, IGNORED_TARGET, IGNORED_TARGET]]
    assert second[0].tolist() == [[7]]


@pytest.mark.parametrize("length", [0, 1])
def test_a_stream_with_nothing_to_predict_has_no_windows(length: int) -> None:
    assert list(windows([np.arange(length)], 4, 2)) == []


def test_memory_does_not_grow_with_the_stream() -> None:
    drawn = 0

    def pieces() -> object:
        nonlocal drawn
        for _ in range(1000):
            drawn += 1
            yield np.arange(64)

    next(windows(pieces(), 16, 8))  # type: ignore[arg-type]
    assert drawn == 1

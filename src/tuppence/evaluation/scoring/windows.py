"""Cuts a stream of tokens of any length into the windows on which `perplexity` evaluates a model.

Each token is a target exactly once. The first window predicts all of its tokens. Each later window begins `stride`
tokens further on and predicts only the tokens that no earlier window predicted; the `context_length - stride` tokens
before them are context. A stride equal to the context length is plain chunking: fast, but the first tokens of each
chunk have almost no context. A smaller stride gives every token more context and costs `context_length / stride` times
as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tuppence.data.buckets import IGNORED_TARGET

Tokens = NDArray[np.int64]
Window = tuple[Tokens, Tokens]


def windows(stream: Iterable[Tokens], context_length: int, stride: int) -> Iterator[Window]:
    """Yields the windows of a stream as pairs (inputs, targets). The longest piece of the stream limits memory.

    Args:
        stream: pieces of one sequence of token ids; its first token is context only.
        context_length: the longest window, in tokens; at least 1.
        stride: tokens from the start of one window to the start of the next; from 1 to `context_length`.

    Yields:
        Two int64 arrays of equal length T <= context_length; targets[i] is the token after inputs[i], or -100 if an
        earlier window has scored it.

    Example:
        >>> for inputs, targets in windows([np.array([7, 1, 2, 3, 4, 5])], context_length=3, stride=2):
        ...     print(inputs, targets)
        [7 1 2] [1 2 3]
        [2 3 4] [-100    4    5]
    """
    held = np.empty(0, dtype=np.int64)
    scored = 0  # number of targets at the beginning of `held` that a window has scored already
    for piece in stream:
        held = np.concatenate((held, piece))
        start = 0
        while len(held) - start > context_length:
            yield _window(held[start : start + context_length + 1], scored)
            start += stride
            scored = context_length - stride
        held = held[start:]
    if len(held) > scored + 1:
        yield _window(held, scored)


def batches(cut: Iterable[Window], batch_size: int) -> Iterator[Window]:
    """Stacks windows into (inputs_BT, targets_BT), padded on the right.

    Padding does not change the result: attention is causal, so no scored position sees it, and its targets are -100.
    """
    rows: list[Window] = []
    for window in cut:
        rows.append(window)
        if len(rows) == batch_size:
            yield _stack(rows)
            rows = []
    if rows:
        yield _stack(rows)


def _window(tokens: Tokens, scored: int) -> Window:
    targets = tokens[1:].copy()
    targets[:scored] = IGNORED_TARGET
    return tokens[:-1], targets


def _stack(rows: list[Window]) -> Window:
    longest = max(len(inputs) for inputs, _ in rows)
    inputs_BT = np.zeros((len(rows), longest), dtype=np.int64)
    targets_BT = np.full((len(rows), longest), IGNORED_TARGET, dtype=np.int64)
    for row, (inputs, targets) in enumerate(rows):
        inputs_BT[row, : len(inputs)] = inputs
        targets_BT[row, : len(targets)] = targets
    return inputs_BT, targets_BT

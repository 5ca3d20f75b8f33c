"""Measures how much of a generated text is copied word for word from the training text.

A small model can write well by copying its training text. `copied` searches prepared data for sequences of at least
`SHORTEST` tokens of a text. The search is exact. Called for the samples of pretraining and of the quickstart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuppence.data.shards import TokenShards

SHORTEST = 8
"""Tokens of the shortest sequence that counts as copied."""

_CHUNK = 2**22
_MOST = 2**25


@dataclass(frozen=True)
class Copied:
    """How much of a text is copied.

    Attributes:
        longest: number of tokens of the longest copied sequence; 0 if none has `SHORTEST` tokens.
        share: share of the text's tokens that are in copied sequences.
        searched: number of tokens of the data that were searched, from the beginning.
    """

    longest: int
    share: float
    searched: int


def copied(ids: Sequence[int], shards: TokenShards, *, most: int = _MOST) -> Copied:
    """Searches prepared data for sequences of a text's tokens.

    Args:
        ids: the tokens of the text.
        shards: the training data of the model.
        most: search at most this many tokens of the data; 30 million take about a second.
    """
    text = np.asarray(ids, dtype=np.int64)
    searched = min(len(shards), most)
    lengths = np.zeros(len(text), dtype=np.int64)  # longest copied sequence from each token on
    if len(text) >= SHORTEST:
        for chunk in _chunks(shards, searched, overlap=len(text)):
            _extend(lengths, text, chunk, shards.vocab_size)
    covered = np.zeros(len(text), dtype=bool)
    for start in np.flatnonzero(lengths):
        covered[start : start + lengths[start]] = True
    return Copied(int(lengths.max(initial=0)), float(covered.mean()) if len(text) else 0.0, searched)


def describe_copied(found: Copied, unseen: Copied) -> str:
    """Returns the line that is printed below a sample.

    Args:
        found: the result for the sample.
        unseen: the result for validation texts of the same kind: it shows how similar such texts are anyway.

    Example:
        >>> describe_copied(Copied(23, 0.614, 3_900_000), Copied(40, 0.9, 3_900_000))
        '61% of it is copied word for word from the training text, at most 23 tokens in a row (unseen texts: 90%)'
    """
    if not found.longest:
        return f"no {SHORTEST} tokens in a row of it are in the training text (unseen texts: {unseen.share:.0%} copied)"
    return (
        f"{found.share:.0%} of it is copied word for word from the training text, at most {found.longest} tokens in a"
        f" row (unseen texts: {unseen.share:.0%})"
    )


def _chunks(shards: TokenShards, tokens: int, overlap: int) -> Iterator[NDArray[np.int64]]:
    """Yields parts of the data that overlap, so that no copied sequence is cut."""
    for start in range(0, tokens, _CHUNK):
        yield shards.window(start, min(_CHUNK + overlap, tokens - start))


def _extend(lengths: NDArray[np.int64], text: NDArray[np.int64], data: NDArray[np.int64], vocab_size: int) -> None:
    """Updates `lengths` in place with the sequences that this part of the data holds.

    Only positions where `SHORTEST` - 1 neighbouring pairs in a row are pairs of the text are compared one by one.
    """
    distinct, places = np.unique(text, return_inverse=True)
    numbers = np.full(max(vocab_size, int(distinct[-1]) + 1), len(distinct), dtype=np.int16)
    numbers[distinct] = np.arange(len(distinct))
    is_pair = np.zeros((len(distinct) + 1, len(distinct) + 1), dtype=bool)
    is_pair[places[:-1], places[1:]] = True
    known = numbers[data]
    matches = is_pair[known[:-1], known[1:]]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], matches, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    starts: dict[tuple[int, ...], list[int]] = {}
    for start in range(len(text) - SHORTEST + 1):
        starts.setdefault(tuple(text[start : start + SHORTEST].tolist()), []).append(start)
    for begin, end in zip(begins, ends, strict=True):
        if end - begin < SHORTEST - 1:
            continue
        stretch = data[begin : end + 1]
        for offset in range(len(stretch) - SHORTEST + 1):
            for start in starts.get(tuple(stretch[offset : offset + SHORTEST].tolist()), ()):
                room = min(len(text) - start, len(stretch) - offset)
                differs = np.flatnonzero(text[start : start + room] != stretch[offset : offset + room])
                lengths[start] = max(lengths[start], int(differs[0]) if len(differs) else room)

"""How much of a text is copied word for word from the text that a model was trained on.

A small model can write well by copying its training text. `copied` looks for runs of at least `SHORTEST` tokens of a
text among the tokens of prepared data. Exact: every run that it reports is there. Called with the samples that
pretraining and the quickstart show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuppence.data.shards import TokenShards

SHORTEST = 8
"""Tokens of the shortest run that counts as copied."""

_CHUNK = 2**22
_MOST = 2**25


@dataclass(frozen=True)
class Copied:
    """How much of a text is copied.

    Attributes:
        longest: tokens of the longest run found in the data; 0 where none has `SHORTEST`.
        share: of the text's tokens, those in runs of at least `SHORTEST` found in the data.
        searched: tokens of the data that were searched, from the first on.
    """

    longest: int
    share: float
    searched: int


def copied(ids: Sequence[int], shards: TokenShards, *, most: int = _MOST) -> Copied:
    """Searches prepared data for runs of a text's tokens.

    Args:
        ids: the text's tokens.
        shards: what the model was trained on.
        most: tokens of the data to search at most; 30 million take about a second.
    """
    text = np.asarray(ids, dtype=np.int64)
    searched = min(len(shards), most)
    lengths = np.zeros(len(text), dtype=np.int64)  # of the longest run of the data that begins at each token
    if len(text) >= SHORTEST:
        for chunk in _chunks(shards, searched, overlap=len(text)):
            _extend(lengths, text, chunk, shards.vocab_size)
    covered = np.zeros(len(text), dtype=bool)
    for start in np.flatnonzero(lengths):
        covered[start : start + lengths[start]] = True
    return Copied(int(lengths.max(initial=0)), float(covered.mean()) if len(text) else 0.0, searched)


def describe_copied(found: Copied, unseen: Copied) -> str:
    """The line shown with a sample.

    Args:
        found: of the sample.
        unseen: of texts of the same kind that the model has not read: how much alike texts of that kind are.

    Example:
        >>> describe_copied(Copied(23, 0.614, 3_900_000), Copied(40, 0.9, 3_900_000))
        '61% of it stands word for word in the training text, the longest run has 23 tokens; of unseen texts 90%'
    """
    if not found.longest:
        return f"no {SHORTEST} tokens of it in a row stand in the training text; of unseen texts {unseen.share:.0%} do"
    return (
        f"{found.share:.0%} of it stands word for word in the training text, the longest run has {found.longest}"
        f" tokens; of unseen texts {unseen.share:.0%}"
    )


def _chunks(shards: TokenShards, tokens: int, overlap: int) -> Iterator[NDArray[np.int64]]:
    """Stretches of the data, each with the beginning of the next one, so that no run is cut."""
    for start in range(0, tokens, _CHUNK):
        yield shards.window(start, min(_CHUNK + overlap, tokens - start))


def _extend(lengths: NDArray[np.int64], text: NDArray[np.int64], data: NDArray[np.int64], vocab_size: int) -> None:
    """Raises `lengths` to what this stretch of the data holds.

    Only places where `SHORTEST` - 1 neighbouring pairs in a row are pairs of the text are compared one by one.
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

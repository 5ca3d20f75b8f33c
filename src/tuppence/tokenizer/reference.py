"""Byte pair encoding in its plainest form: chapter 2 explains it, and tests compare the fast code with it.

It is slow. tuppence neither encodes nor trains with it; only `recover_merges` is used, for files without merges.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from tuppence.core.errors import InputError

T = TypeVar("T")


def merge(tokens: Sequence[T], pair: tuple[T, T], new: T) -> list[T]:
    """Replaces every occurrence of `pair` in `tokens`, from left to right, by `new`.

    Example:
        >>> merge([1, 2, 3, 1, 2], (1, 2), 9)
        [9, 3, 9]
        >>> merge(["x", "x", "x"], ("x", "x"), "xx")
        ['xx', 'x']
    """
    merged: list[T] = []
    place = 0
    while place < len(tokens):
        if tuple(tokens[place : place + 2]) == pair:
            merged.append(new)
            place += 2
        else:
            merged.append(tokens[place])
            place += 1
    return merged


def learn_merges(words: Mapping[bytes, int], count: int) -> list[tuple[int, int]]:
    """The first `count` merges for these words; counts all pairs again before each merge.

    The pair with the highest count wins; of equal counts, the one with the lowest pair of ids.

    Args:
        words: the number of occurrences of each word.
        count: number of merges; fewer are returned if no pair is left.

    Example:
        >>> learn_merges({b"hug": 10, b"pug": 5, b"hugs": 5}, 2)
        [(117, 103), (104, 256)]
    """
    words_as_ids = [(list(word), occurrences) for word, occurrences in words.items()]
    merges: list[tuple[int, int]] = []
    for new in range(256, 256 + count):
        counts: Counter[tuple[int, int]] = Counter()
        for ids, occurrences in words_as_ids:
            for pair in pairwise(ids):
                counts[pair] += occurrences
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        words_as_ids = [(merge(ids, best, new), occurrences) for ids, occurrences in words_as_ids]
    return merges


def encode_word(word: bytes, ranks: Mapping[bytes, int], below: int | None = None) -> list[bytes]:
    """Cuts one word into tokens: merges the neighbours whose joined bytes rank lowest, until none are left.

    Args:
        word: the bytes of one word of the split pattern.
        ranks: rank of each token; the numbers may have gaps.
        below: use only tokens with a lower rank than this.

    Example:
        >>> ranks = {b"h": 0, b"u": 1, b"g": 2, b"ug": 3, b"hug": 4}
        >>> encode_word(b"hug", ranks)
        [b'hug']
        >>> encode_word(b"hug", ranks, below=4)
        [b'h', b'ug']
    """
    limit = math.inf if below is None else below
    tokens = [word[place : place + 1] for place in range(len(word))]
    while len(tokens) > 1:
        joined = [left + right for left, right in pairwise(tokens)]
        best = min(joined, key=lambda token: ranks.get(token, limit))
        if ranks.get(best, limit) >= limit:
            break
        place = joined.index(best)
        tokens[place : place + 2] = [best]
    return tokens


def encode(words: Iterable[str], ranks: Mapping[bytes, int]) -> list[int]:
    """The ids of a text that a split pattern has cut into words."""
    return [ranks[token] for word in words for token in encode_word(word.encode(), ranks)]


def recover_merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Recovers the merges of a table of ranks: encodes each token's bytes with the lower ranks only.

    Raises:
        InputError: the result for a token is not two tokens.

    Example:
        >>> recover_merges({b"h": 0, b"u": 1, b"g": 2, b"ug": 3, b"hug": 4})
        [(b'u', b'g'), (b'h', b'ug')]
    """
    merges: list[tuple[bytes, bytes]] = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) < 2:
            continue
        parts = encode_word(token, ranks, below=rank)
        if len(parts) != 2:
            raise InputError(
                f"the token {token.decode('utf-8', 'backslashreplace')!r} (rank {rank}) cannot be merged from two "
                f"older ones: its bytes give {len(parts)} tokens",
                "only vocabularies that were trained can be used: restore the file",
            )
        merges.append((parts[0], parts[1]))
    return merges

"""Learns the merges of a byte-level BPE tokenizer from texts.

Byte pair encoding (Gage 1994; Sennrich et al. 2016, arXiv:1508.07909; over bytes: Radford et al. 2019): start
from the 256 bytes, and repeatedly make the most frequent pair of neighbouring tokens a new token.

That is the pair with the highest count, and of equal counts the one with the lowest pair of ids. The count of a pair is
the number of places where it occurs, weighted by the count of the word ("aaa" contains the pair (a, a) twice). A pair
is merged from left to right. Ids are the values of the bytes, then the merges in the order learned, then the special
tokens. The result depends neither on the number of workers nor on the order of the texts.

`reference.learn_merges` is the plain version of `learn_merges`, and the oracle of its tests. The version here is
hundreds of times faster. `counting` counts the words.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.tokenizer.counting import count_words
from tuppence.tokenizer.patterns import PatternName, find_pattern
from tuppence.tokenizer.tokenizer import Tokenizer
from tuppence.tokenizer.vocabulary import END_OF_TEXT, Vocabulary

Places: TypeAlias = npt.NDArray[np.int32]
Pair: TypeAlias = tuple[int, int, int, Places]
"""(minus the count, left token, right token, the places of the left tokens)"""
OnProgress: TypeAlias = Callable[[str, int, "int | None"], None]

MOST_SYMBOLS = 2**31 - 1
"""Positions are 32-bit numbers; the limit of the table of words is far below."""


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int,
    *,
    pattern: PatternName = "gpt2",
    special_tokens: Sequence[str] = (END_OF_TEXT,),
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Tokenizer:
    """Learns a tokenizer of at most `vocab_size` tokens; fewer if no pair is left in the texts.

    Args:
        texts: documents, or parts of documents cut at safe cuts (`patterns.split_safely`); read once.
        vocab_size: number of tokens: 256 bytes, the merges, and the special tokens.
        pattern: cuts texts into words; no token crosses the border of a word.
        special_tokens: get the last ids; one that occurs in a text ends the document and is not learned from.
        workers: processes that count words; by default, one per usable core.
        on_progress: called with ("counting", bytes read, None) and ("merging", merges learned, merges wanted).

    Raises:
        InputError: `vocab_size` is too small for the bytes and the special tokens; a special token is empty, a single
            character or given twice; or the texts are empty.

    Example:
        >>> tokenizer = train_tokenizer(["low lower lowest"] * 2, vocab_size=261)
        >>> [tokenizer.decode([token]) for token in tokenizer.encode("lowest")]
        ['low', 'e', 's', 't']
    """
    split_pattern = find_pattern(pattern)
    wanted = vocab_size - 256 - len(special_tokens)
    if wanted < 0:
        specials = counted(len(special_tokens), "special token")
        raise InputError(
            f"a vocabulary of {vocab_size:,} has no room for the 256 bytes and {specials}",
            f"ask for at least {256 + len(special_tokens)}; 8,192 suits a small model, 50,257 is GPT-2's",
        )
    if "" in special_tokens or len(set(special_tokens)) < len(special_tokens):
        raise InputError("a special token is empty or given twice", "give each a name of its own")

    for name in special_tokens:
        # a tokenizer.json would contain a single character twice, and a text is cut at every special token
        if len(name) == 1 or name.isalnum():
            raise InputError(f"the special token '{name}' is a piece of ordinary text", "call it <|something|>")

    bytes_read = 0

    def count_progress(block_bytes: int) -> None:
        nonlocal bytes_read
        bytes_read += block_bytes
        if on_progress is not None:
            on_progress("counting", bytes_read, None)

    words = count_words(
        texts, split_pattern, special_tokens, workers=workers or usable_cores(), on_bytes=count_progress
    )
    if not words:
        raise InputError("there is no text to learn a tokenizer from", "check that the input is not empty")
    merges = learn_merges(words, wanted, on_progress)
    return Tokenizer(Vocabulary.from_merges(pairs_of_bytes(merges), split_pattern, special_tokens))


def usable_cores() -> int:
    """The number of cores that this process may use: in a container or under taskset, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pairs_of_bytes(merges: Iterable[tuple[int, int]]) -> list[tuple[bytes, bytes]]:
    """Converts merges of ids to merges of bytes.

    Example:
        >>> pairs_of_bytes([(104, 105), (256, 33)])
        [(b'h', b'i'), (b'hi', b'!')]
    """
    tokens = [bytes([value]) for value in range(256)]
    pairs = []
    for left, right in merges:
        pairs.append((tokens[left], tokens[right]))
        tokens.append(tokens[left] + tokens[right])
    return pairs


def learn_merges(
    words: Mapping[bytes, int], count: int, on_progress: OnProgress | None = None
) -> list[tuple[int, int]]:
    """The first `count` merges for these words; fewer if every word has become one token.

    Once both of its tokens exist, a pair only loses places, because the neighbours of a new token appear at its merge
    and never later. So an outdated count is an upper bound. The heap holds such bounds, each with the places of the
    pair when it was counted. The pair at the top is counted again at those places; it is merged if the bound was equal,
    otherwise put back with the places that are left. No other count is updated.

    Args:
        words: how often each word occurs.
        count: number of merges.
        on_progress: called every 64 merges with ("merging", merges learned, merges wanted).

    Returns:
        Pairs of ids in the order learned; the merge at index i makes token 256 + i.
    """
    row = SymbolRow(words, vocab_size=256 + count)
    # the smallest entry is first: the highest count, then the lowest pair of ids; pairs are unique
    heap = row.all_pairs()
    heapq.heapify(heap)
    merges: list[tuple[int, int]] = []
    while heap and len(merges) < count:
        minus_bound, left, right, places = heap[0]
        places = row.still_holding(left, right, places)
        minus_count = -row.weigh(places)
        if minus_count != minus_bound:
            if minus_count:
                heapq.heapreplace(heap, (minus_count, left, right, places))
            else:
                heapq.heappop(heap)
            continue
        heapq.heappop(heap)
        for pair in row.merge(left, right, new=256 + len(merges), places=places):
            heapq.heappush(heap, pair)
        merges.append((left, right))
        if on_progress is not None and len(merges) % 64 == 0:
            on_progress("merging", len(merges), count)
    if on_progress is not None:
        on_progress("merging", len(merges), count)
    return merges


class SymbolRow:
    """All distinct words as one row of tokens, in which pairs are found, weighted and merged.

    A merged pair has the place of its left token; `next` and `previous` skip the place of its right token.
    """

    def __init__(self, words: Mapping[bytes, int], vocab_size: int) -> None:
        # a fence, a token that is in no pair, separates the words and is at both ends
        text = b"\0".join([b"", *words, b""])
        if len(text) > MOST_SYMBOLS:
            raise ValueError(f"{len(text):,} symbols are more than 32-bit positions can number")
        lengths = np.fromiter((len(word) + 1 for word in words), dtype=np.int64, count=len(words))
        counts = np.fromiter(words.values(), dtype=np.int64, count=len(words))
        self.fence = vocab_size
        self.tokens = np.frombuffer(text, dtype=np.uint8).astype(np.int32)
        self.tokens[np.concatenate(([0], np.cumsum(lengths)))] = self.fence
        self.weights = np.concatenate(([0], np.repeat(counts, lengths)))
        self.next = np.arange(1, len(text) + 1, dtype=np.int32)
        self.previous = np.arange(-1, len(text) - 1, dtype=np.int32)

    def all_pairs(self) -> list[Pair]:
        """Every pair of neighbours in the row."""
        places = np.arange(len(self.tokens) - 1, dtype=np.int32)
        inside = (self.tokens[:-1] != self.fence) & (self.tokens[1:] != self.fence)
        return self._group(places[inside])

    def still_holding(self, left: int, right: int, places: Places) -> Places:
        """Those of `places` that still hold the pair."""
        holding: Places = places[(self.tokens[places] == left) & (self.tokens[self.next[places]] == right)]
        return holding

    def weigh(self, places: Places) -> int:
        """The number of occurrences in the corpus of the pairs at these places."""
        return int(self.weights[places].sum())

    def merge(self, left: int, right: int, new: int, places: Places) -> list[Pair]:
        """Replaces the pair at `places` by the token `new`, and returns the pairs that contain `new`."""
        if left == right:
            places = without_overlaps(places, self.next)
        rights = self.next[places]
        behind = self.next[rights]
        self.tokens[places] = new
        self.tokens[rights] = -1
        self.next[places] = behind
        self.previous[behind] = places

        before = self.previous[places]
        before = before[self.tokens[before] != self.fence]
        after = self.tokens[behind]
        # two neighbouring new tokens are one pair, which `before` contains already
        return self._group(np.concatenate((before, places[(after != self.fence) & (after != new)])))

    def _group(self, places: Places) -> list[Pair]:
        """Groups places by their pair; the places of a pair stay in ascending order."""
        if len(places) == 0:
            return []
        keys = self.tokens[places].astype(np.int64) << 32 | self.tokens[self.next[places]]
        order = np.argsort(keys, kind="stable")
        keys, places = keys[order], places[order]
        begins = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        minus_counts = np.add.reduceat(-self.weights[places], begins).tolist()
        keys, bounds = keys[begins].tolist(), [*begins.tolist(), len(places)]
        return [
            (minus_count, key >> 32, key & 0xFFFFFFFF, places[bounds[i] : bounds[i + 1]])
            for i, (minus_count, key) in enumerate(zip(minus_counts, keys, strict=True))
        ]


def without_overlaps(places: Places, following: Places) -> Places:
    """Keeps every second of the overlapping pairs (x, x), from the left: "xxxxx" contains two, at 0 and 2.

    Args:
        places: ascending places of the pair.
        following: for each place, the place of the next token.

    Example:
        >>> without_overlaps(np.array([0, 1, 2, 3, 9]), np.arange(1, 11)).tolist()
        [0, 2, 9]
    """
    # a run continues if the token after the first of one pair is the first of the next
    begins = np.flatnonzero(np.concatenate(([True], following[places[:-1]] != places[1:])))
    index_in_run = np.arange(len(places)) - np.repeat(begins, np.diff(np.append(begins, len(places))))
    every_second: Places = places[index_in_run % 2 == 0]
    return every_second

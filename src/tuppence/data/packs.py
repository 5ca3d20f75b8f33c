"""Text in packs, encoded in threads: the parallel part of `prepare`, its only caller.

Packs depend on the stream of pieces alone, never on the number of threads, so "the first n packs" means the same
text in every run: that is what makes a killed preparation resumable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuppence.data.readers import Piece
from tuppence.data.shards import dtype_of
from tuppence.data.writer import EncodedPack

if TYPE_CHECKING:
    from tuppence.tokenizer import Tokenizer

PACK_CHARACTERS = 2**19
PIECE_OVERHEAD = 64
"""What a piece counts beside its text, so that a pack of tiny documents does not grow large in memory."""


@dataclass
class Pack:
    """Consecutive text of one split, large enough that encoding it is worth a task."""

    split: str
    pieces: list[Piece]
    characters: int = 0


def pack_pieces(pieces: Iterator[tuple[str, Piece]], done: dict[str, int]) -> Iterator[Pack]:
    """Groups each split's pieces into packs.

    Args:
        pieces: (split, piece), the pieces of a document together.
        done: for every split, how many of its first packs to leave out: finished shards hold them already.
    """
    open_packs = {split: Pack(split, []) for split in done}
    counts = dict.fromkeys(done, 0)

    def close(split: str) -> Iterator[Pack]:
        counts[split] += 1
        if counts[split] > done[split]:
            yield open_packs[split]
        open_packs[split] = Pack(split, [])

    for split, piece in pieces:
        pack = open_packs[split]
        pack.pieces.append(piece)
        pack.characters += len(piece.text) + PIECE_OVERHEAD
        if pack.characters >= PACK_CHARACTERS:
            yield from close(split)
    for split in done:
        if open_packs[split].pieces:
            yield from close(split)


def encode_packs(packs: Iterator[Pack], tokenizer: Tokenizer, workers: int) -> Iterator[EncodedPack]:
    """Encodes in `workers` threads; results in order, and only a few packs in flight."""
    tokenizer.encode_to_array("")  # builds what is built on first use, before several threads would do it at once
    waiting: deque[Future[EncodedPack]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for pack in packs:
            waiting.append(pool.submit(_encode, pack, tokenizer))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _encode(pack: Pack, tokenizer: Tokenizer) -> EncodedPack:
    end = np.array([tokenizer.end_of_text])
    parts, size = [], 0
    for piece in pack.pieces:
        parts.append(tokenizer.encode_to_array(piece.text))
        size += len(piece.text) if piece.text.isascii() else len(piece.text.encode())
        if piece.last:
            parts.append(end)
    tokens = np.concatenate(parts).astype(dtype_of(tokenizer.vocab_size))
    return EncodedPack(pack.split, tokens, sum(piece.last for piece in pack.pieces), size)

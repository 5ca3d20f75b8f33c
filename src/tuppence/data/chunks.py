"""Groups text into chunks and encodes them in threads: the parallel part of `prepare`, its only caller.

The chunks depend on the stream of pieces, and not on the number of threads. The first n chunks are therefore the same
text in every run, so that a killed preparation can resume.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuppence.data.pieces import Piece
from tuppence.data.shards import dtype_of
from tuppence.data.writer import EncodedChunk

if TYPE_CHECKING:
    from tuppence.tokenizer import Tokenizer

CHUNK_CHARACTERS = 2**19
PIECE_OVERHEAD = 64
"""Added to the length of every piece, to limit the memory of a chunk of tiny documents."""


@dataclass
class Chunk:
    """Consecutive text of one split, which one thread encodes."""

    split: str
    pieces: list[Piece]
    characters: int = 0


def chunk_pieces(pieces: Iterator[tuple[str, Piece]], done: dict[str, int]) -> Iterator[Chunk]:
    """Groups each split's pieces into chunks.

    Args:
        pieces: (split, piece); the pieces of a document are consecutive.
        done: for each split, the number of its first chunks to leave out, because finished shards contain them.
    """
    open_chunks = {split: Chunk(split, []) for split in done}
    counts = dict.fromkeys(done, 0)

    def close(split: str) -> Iterator[Chunk]:
        counts[split] += 1
        if counts[split] > done[split]:
            yield open_chunks[split]
        open_chunks[split] = Chunk(split, [])

    for split, piece in pieces:
        chunk = open_chunks[split]
        chunk.pieces.append(piece)
        chunk.characters += len(piece.text) + PIECE_OVERHEAD
        if chunk.characters >= CHUNK_CHARACTERS:
            yield from close(split)
    for split in done:
        if open_chunks[split].pieces:
            yield from close(split)


def encode_chunks(chunks: Iterator[Chunk], tokenizer: Tokenizer, workers: int) -> Iterator[EncodedChunk]:
    """Encodes in `workers` threads. Yields the results in order, and holds about 2 * `workers` chunks in memory."""
    tokenizer.encode_to_array("")  # builds tiktoken's encoding before several threads would build it at once
    waiting: deque[Future[EncodedChunk]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_encode, chunk, tokenizer))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _encode(chunk: Chunk, tokenizer: Tokenizer) -> EncodedChunk:
    end = np.array([tokenizer.end_of_text])
    parts, size = [], 0
    for piece in chunk.pieces:
        parts.append(tokenizer.encode_to_array(piece.text))
        size += len(piece.text) if piece.text.isascii() else len(piece.text.encode())
        if piece.last:
            parts.append(end)
    tokens = np.concatenate(parts).astype(dtype_of(tokenizer.vocab_size))
    return EncodedChunk(chunk.split, tokens, sum(piece.last for piece in chunk.pieces), size)

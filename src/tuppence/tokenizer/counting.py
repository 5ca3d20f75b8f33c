"""Counts the words of a corpus: fast, on every core, in bounded memory.

BPE training only needs the number of occurrences of each distinct word. A regular expression over every byte of a
corpus would take most of the training time, so a block of text is counted in two steps: `byte_chunks` cuts it into
*chunks* with numpy and counts equal chunks; then the split pattern runs over the distinct chunks alone, some 20,000 for
4 MB of English prose. The counts are exact, because a chunk contains whole words only.

Called by `trainer`. Memory is bounded for a corpus of any size: `TABLE_BYTES` for the distinct words (a full table is
pruned to half of that), and some 30 times `BLOCK_BYTES` for each worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from tuppence.core import console
from tuppence.core.errors import TuppenceError
from tuppence.tokenizer.byte_chunks import SEPARATOR, count_chunks
from tuppence.tokenizer.patterns import SplitPattern, find_pattern, split_safely, without_surrogates

BLOCK_BYTES = 2**22
"""Size of the block that a worker counts at a time; its temporary arrays take about 30 times as much."""

TABLE_BYTES = 2**29
"""Limit of the memory for distinct words, merging included: about 0.8 million words; 70 MB of English has 0.13."""

WORD_BYTES = 150
"""Memory for a word, without its letters: a bytes object, its count, its entry in the dictionary."""

LETTER_BYTES = 60
"""Memory for a byte of a word, here and in the trainer's arrays of tokens, places, weights and sorted pairs."""

LONGEST_WORD_BYTES = 1024
"""Longer words (base64, a page without a space) are counted in parts of this size: no token is that long."""

OnBytes = Callable[[int], None]


def count_words(
    texts: Iterable[str],
    pattern: SplitPattern,
    special_tokens: Sequence[str] = (),
    *,
    workers: int = 1,
    on_bytes: OnBytes | None = None,
    table_bytes: int = TABLE_BYTES,
) -> dict[bytes, int]:
    """How often each word of the pattern occurs in `texts`.

    The result does not depend on `workers`: the texts alone determine the blocks, whose counts are added in order.
    It is exact until the table is full; then the rarest words are dropped (of equally rare ones the latest), and a
    warning gives their number.

    Args:
        texts: documents, or parts of documents cut at safe cuts.
        pattern: how a text is cut into words.
        special_tokens: one that occurs in a text ends the document and is not counted.
        workers: processes that count; 1 counts in this one.
        on_bytes: called after each block with its number of bytes.
        table_bytes: limit of the memory for the table of words.

    Raises:
        TuppenceError: a worker process was killed.
    """
    table: dict[bytes, int] = {}
    size, dropped = 0, 0
    blocks = pack_blocks(texts, special_tokens)
    for block_bytes, counts in _count_blocks(blocks, pattern, workers):
        for word, count in counts.items():
            if word in table:
                table[word] += count
            else:
                table[word] = count
                size += size_in_table(word)
        if size > table_bytes:
            before = len(table)
            table, size = prune(table, table_bytes // 2)
            dropped += before - len(table)
        if on_bytes is not None:
            on_bytes(block_bytes)
    if dropped:
        console.warn(
            f"the table of words was full: {dropped:,} of the rarest words were dropped, {len(table):,} are kept"
        )
    return table


def size_in_table(word: bytes) -> int:
    """The memory for a distinct word until the merges are learned."""
    return WORD_BYTES + LETTER_BYTES * len(word)


def prune(table: dict[bytes, int], budget: int) -> tuple[dict[bytes, int], int]:
    """Keeps the most frequent words, of equally frequent ones those seen first, up to `budget` bytes.

    Example:
        >>> prune({b"a": 1, b"the": 5, b"b": 1}, budget=600)
        ({b'the': 5, b'a': 1}, 540)
    """
    kept: dict[bytes, int] = {}
    size = 0
    for word, count in sorted(table.items(), key=lambda item: -item[1]):
        size_with_word = size + size_in_table(word)
        if size_with_word > budget:
            break
        kept[word] = count
        size = size_with_word
    return kept, size


def pack_blocks(texts: Iterable[str], special_tokens: Sequence[str] = ()) -> Iterator[bytes]:
    """Joins short texts, and cuts long ones, into blocks of UTF-8 of about `BLOCK_BYTES`.

    Special tokens become separators, the longest first, because one can contain another.
    """
    marks = [token.encode() for token in sorted(special_tokens, key=len, reverse=True)]
    waiting: list[bytes] = []
    waiting_bytes = 0
    for text in texts:
        for piece in split_safely(text, BLOCK_BYTES):
            encoded = without_surrogates(piece).encode()
            for mark in marks:
                encoded = encoded.replace(mark, SEPARATOR)
            waiting.append(encoded)
            waiting_bytes += len(encoded)
            if waiting_bytes >= BLOCK_BYTES:
                yield SEPARATOR.join(waiting)
                waiting, waiting_bytes = [], 0
    if waiting:
        yield SEPARATOR.join(waiting)


def _count_blocks(
    blocks: Iterator[bytes], pattern: SplitPattern, workers: int
) -> Iterator[tuple[int, dict[bytes, int]]]:
    """The size and the word counts of each block, in the order of the blocks."""
    first = next(blocks, None)
    if first is None:
        return
    second = next(blocks, None) if workers > 1 else None
    if second is None:  # one block: starting a process would cost more than it saves
        yield len(first), count_block(first, pattern.name)
        for block in blocks:
            yield len(block), count_block(block, pattern.name)
        return
    # fork starts at once and needs no guarded __main__; a child uses nothing but numpy and the pattern
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent) as pool:
        running: deque[tuple[int, Future[dict[bytes, int]]]] = deque()

        def finish() -> tuple[int, dict[bytes, int]]:
            block_bytes, future = running.popleft()
            return block_bytes, future.result()

        try:
            for block in (first, second):
                running.append((len(block), pool.submit(count_block, block, pattern.name)))
            for block in blocks:
                if len(running) > workers:
                    yield finish()
                running.append((len(block), pool.submit(count_block, block, pattern.name)))
            while running:
                yield finish()
        except BrokenProcessPool as error:
            raise TuppenceError(
                "a process that counts words was killed, probably because memory ran out",
                "close other programs, or try --workers 1",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _follow_parent() -> None:
    """Runs first in a worker. Ctrl-C reaches every process of the group, and only the parent handles it. A worker ends
    when its parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_it() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()


def count_block(block: bytes, pattern_name: str) -> dict[bytes, int]:
    """How often each word occurs in a block of UTF-8 whose documents are separated by `SEPARATOR`.

    Example:
        >>> sorted(count_block(b"to be or not to be\\xffto be", "gpt2").items())
        [(b' be', 3), (b' not', 1), (b' or', 1), (b' to', 1), (b'to', 2)]
    """
    find = find_pattern(pattern_name).compiled.findall
    counts: dict[bytes, int] = {}
    for chunk, count in count_chunks(block).items():
        # the usual case, letters after at most one space, is always one word
        if chunk.isalpha() or (chunk[:1] == b" " and chunk[1:].isalpha()):
            counts[chunk] = counts.get(chunk, 0) + count
        else:
            for found in find(chunk.decode()):
                word = found.encode()
                counts[word] = counts.get(word, 0) + count
    for word in [word for word in counts if len(word) > LONGEST_WORD_BYTES]:
        count = counts.pop(word)
        for start in range(0, len(word), LONGEST_WORD_BYTES):
            part = word[start : start + LONGEST_WORD_BYTES]
            counts[part] = counts.get(part, 0) + count
    return counts

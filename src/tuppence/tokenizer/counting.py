"""Counts the words of a corpus: fast, on every core, in bounded memory.

BPE training needs only how often each distinct word occurs. A regular expression over every byte of a corpus
would take most of the training time, so a block of text goes through two steps: numpy cuts it into *chunks* at
the safe cuts of `patterns` (as far as ASCII shows them) and counts equal chunks; the split pattern then runs
over the distinct chunks alone, some 20,000 for 4 MB of English prose. The counts are exact, because a safe cut
changes no word.

Called by `trainer`. The bound on memory, whatever the size of the corpus: `TABLE_BYTES` for the distinct words,
pruned to half of that when it is full, and some 30 times `BLOCK_BYTES` for each worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import numpy.typing as npt

from tuppence.core import console
from tuppence.core.errors import TuppenceError
from tuppence.tokenizer.patterns import SplitPattern, find_pattern, split_safely, without_surrogates

BLOCK_BYTES = 2**22
"""What one worker counts at a time; its scratch arrays take about 30 times as much."""

TABLE_BYTES = 2**29
"""The most memory for distinct words, merging included: about 0.8 million of them; 70 MB of English has 0.13."""

WORD_BYTES = 150
"""What a word takes beside its letters: a bytes object, its count, its place in the dictionary."""

LETTER_BYTES = 60
"""What a byte of a word takes: itself, and the trainer's arrays of tokens, places, weights and sorted pairs."""

LONGEST_WORD_BYTES = 1024
"""Longer words (base64, a page without a space) are counted in parts of this size: no token is that long."""

SEPARATOR = b"\xff"
"""Stands between documents in a block: a byte that UTF-8 never uses."""

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

    The result does not depend on `workers`: blocks are cut from the texts alone, and added in their order. It
    is exact until the table is full; then the rarest words are dropped (of equally rare ones the latest), and a
    warning says how many.

    Args:
        texts: documents, or parts of documents cut at safe cuts.
        pattern: how a text is cut into words.
        special_tokens: one that occurs in a text ends the document and is not counted.
        workers: processes that count; 1 counts in this one.
        on_bytes: is told after each block how many bytes it had.
        table_bytes: the bound on the table of words.

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
            f"the table of words was full: {dropped:,} of the rarest words were dropped on the way, {len(table):,} kept"
        )
    return table


def size_in_table(word: bytes) -> int:
    """What a distinct word takes in memory until the merges are learned."""
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

    Special tokens become separators: longest first, so that one inside another does no harm.
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
    if second is None:  # nothing to share out: the start of a process would cost more than it saves
        yield len(first), count_block(first, pattern.name)
        for block in blocks:
            yield len(block), count_block(block, pattern.name)
        return
    # fork starts at once and needs no guarded __main__; a child touches nothing but numpy and the pattern
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
                "a process that counts words was killed, probably for want of memory",
                "close other programs, or try --workers 1",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _follow_parent() -> None:
    """What a worker does first. Ctrl-C reaches every process of the group, and the parent alone answers it; where the
    parent is killed, its workers end, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_it() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()


def count_block(block: bytes, pattern_name: str) -> dict[bytes, int]:
    """How often each word occurs in a block of UTF-8 whose documents are parted by `SEPARATOR`.

    Example:
        >>> sorted(count_block(b"to be or not to be\\xffto be", "gpt2").items())
        [(b' be', 3), (b' not', 1), (b' or', 1), (b' to', 1), (b'to', 2)]
    """
    find = find_pattern(pattern_name).compiled.findall
    counts: dict[bytes, int] = {}
    for chunk, count in count_chunks(block).items():
        # the usual case, letters behind one space or none, is plainly one word
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


# ---- chunks: one class for each byte, one yes or no for each pair of neighbouring classes -----------------------

_LETTER, _DIGIT, _SPACE, _OTHER_WHITE_SPACE, _OTHER_ASCII, _BEYOND_ASCII, _SEPARATOR = range(7)


def _byte_classes() -> npt.NDArray[np.uint8]:
    classes = np.full(256, _OTHER_ASCII, dtype=np.uint8)
    classes[128:] = _BEYOND_ASCII
    for byte in range(128):
        if chr(byte).isalpha():
            classes[byte] = _LETTER
        elif chr(byte).isdigit():
            classes[byte] = _DIGIT
    classes[list(b"\t\n\v\f\r")] = _OTHER_WHITE_SPACE
    classes[ord(" ")] = _SPACE
    classes[ord(SEPARATOR)] = _SEPARATOR
    return classes


def _cut_table() -> npt.NDArray[np.bool_]:
    """`table[before * 8 + behind]`: is there a safe cut between two bytes of these classes?

    A byte beyond ASCII may belong to a letter, a digit, a mark or white space: only the space behind it is
    taken for a cut, and `find_cuts` looks at the character again.
    """
    table = np.zeros((32, 8), dtype=np.bool_)  # 256 in all, as bytes.translate wants them
    table[_LETTER, [_DIGIT, _SPACE, _OTHER_WHITE_SPACE, _OTHER_ASCII]] = True
    table[_DIGIT, [_LETTER, _SPACE, _OTHER_WHITE_SPACE, _OTHER_ASCII]] = True
    table[[_OTHER_ASCII, _BEYOND_ASCII], _SPACE] = True
    table[_SEPARATOR, :] = table[:, _SEPARATOR] = True
    return table.ravel()


# bytes.translate looks a byte up eight times faster than numpy's indexing, which widens it to 64 bits first
_CLASS_OF_BYTE = _byte_classes().tobytes()
_IS_CUT = _cut_table().tobytes()
_WHITE_SPACE_ENDINGS = np.array(
    sorted(
        {
            int.from_bytes(chr(code).encode()[-2:], "big")
            for code in (0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
        }
    ),
    dtype=np.uint16,
)
"""The last two bytes of every white space beyond ASCII. Other characters share some: those cuts are forgone."""

_PADDING = np.array([2**64 - 2 ** (8 * length) for length in range(8)] + [0], dtype=np.uint64)
"""`_PADDING[n]` fills what lies behind the first n bytes of a little-endian word of 8 bytes with 0xFF."""


def find_cuts(block: bytes) -> npt.NDArray[np.int64]:
    """Where the chunks of a block begin, and last the end of the block.

    Example:
        >>> find_cuts(b"Well, 12 men").tolist()
        [0, 4, 5, 8, 12]
    """
    codes = np.frombuffer(block, dtype=np.uint8)
    classes = np.frombuffer(block.translate(_CLASS_OF_BYTE), dtype=np.uint8)
    pairs = classes[:-1] * np.uint8(8) + classes[1:]
    cuts = np.flatnonzero(np.frombuffer(pairs.tobytes().translate(_IS_CUT), dtype=np.bool_)) + 1
    if not block.isascii():
        # the space behind a character beyond ASCII is no cut where that character is white space itself
        doubtful = (classes[cuts - 1] == _BEYOND_ASCII) & (codes[cuts] == ord(" ")) & (cuts >= 2)
        places = cuts[doubtful]
        endings = codes[places - 2].astype(np.uint16) << 8 | codes[places - 1]
        doubtful[doubtful] = np.isin(endings, _WHITE_SPACE_ENDINGS)
        cuts = cuts[~doubtful]
    return np.concatenate(([0], cuts, [len(block)]))


def count_chunks(block: bytes) -> dict[bytes, int]:
    """How often each chunk occurs in a block.

    Chunks of up to 8 bytes, nine of ten in English, are counted as integers by sorting; the others one by one.

    Example:
        >>> sorted(count_chunks(b"so, so so\\n").items())
        [(b'\\n', 1), (b' so', 2), (b',', 1), (b'so', 1)]
    """
    if not block:
        return {}
    cuts = find_cuts(block)
    starts, lengths = cuts[:-1], np.diff(cuts)
    short = lengths <= 8
    # eight bytes from every offset on: a view, nothing is copied
    words = np.ndarray(len(block), dtype="<u8", buffer=block + SEPARATOR * 8, strides=(1,))
    keys, counts = np.unique(words[starts[short]] | _PADDING[lengths[short]], return_counts=True)
    key_bytes = keys.astype("<u8").tobytes()
    chunks = {key_bytes[8 * row : 8 * row + 8].rstrip(SEPARATOR): count for row, count in enumerate(counts.tolist())}
    chunks.pop(b"", None)  # the separators themselves
    long_starts = starts[~short].tolist()
    long_ends = (starts[~short] + lengths[~short]).tolist()
    chunks.update(Counter([block[start:end] for start, end in zip(long_starts, long_ends, strict=True)]))
    return chunks

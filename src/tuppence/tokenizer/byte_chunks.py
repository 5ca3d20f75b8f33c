"""Cuts a block of UTF-8 into chunks with numpy, and counts equal chunks.

A chunk ends at a safe cut of `patterns`, as far as ASCII shows it, so that no word of a split pattern crosses the end
of a chunk. Each byte has a class, and a table says for each pair of classes whether there is a cut between them.
`counting` runs the split pattern over the distinct chunks alone.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

SEPARATOR = b"\xff"
"""Separates the documents of a block: a byte that UTF-8 never uses."""

_LETTER, _DIGIT, _SPACE, _OTHER_WHITE_SPACE, _OTHER_ASCII, _NOT_ASCII, _SEPARATOR = range(7)


def _byte_classes() -> npt.NDArray[np.uint8]:
    classes = np.full(256, _OTHER_ASCII, dtype=np.uint8)
    classes[128:] = _NOT_ASCII
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
    """`table[before * 8 + after]`: whether there is a safe cut between two bytes of these classes.

    A non-ASCII byte can belong to a letter, a digit, a mark or white space: only a space after it counts as a cut,
    and `find_cuts` checks whether the character is white space.
    """
    table = np.zeros((32, 8), dtype=np.bool_)  # 256 entries in all, as bytes.translate requires
    table[_LETTER, [_DIGIT, _SPACE, _OTHER_WHITE_SPACE, _OTHER_ASCII]] = True
    table[_DIGIT, [_LETTER, _SPACE, _OTHER_WHITE_SPACE, _OTHER_ASCII]] = True
    table[[_OTHER_ASCII, _NOT_ASCII], _SPACE] = True
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
"""The last two bytes of every non-ASCII white space. Some other characters end in the same bytes; `find_cuts` makes no
cut after them."""

_PADDING = np.array([2**64 - 2 ** (8 * length) for length in range(8)] + [0], dtype=np.uint64)
"""`_PADDING[n]` sets the bytes after the first n of a little-endian word of 8 bytes to 0xFF."""


def find_cuts(block: bytes) -> npt.NDArray[np.int64]:
    """The start of each chunk of a block, and the end of the block.

    Example:
        >>> find_cuts(b"Well, 12 men").tolist()
        [0, 4, 5, 8, 12]
    """
    codes = np.frombuffer(block, dtype=np.uint8)
    classes = np.frombuffer(block.translate(_CLASS_OF_BYTE), dtype=np.uint8)
    pairs = classes[:-1] * np.uint8(8) + classes[1:]
    cuts = np.flatnonzero(np.frombuffer(pairs.tobytes().translate(_IS_CUT), dtype=np.bool_)) + 1
    if not block.isascii():
        # the space after a non-ASCII character is no cut if that character is white space itself
        doubtful = (classes[cuts - 1] == _NOT_ASCII) & (codes[cuts] == ord(" ")) & (cuts >= 2)
        places = cuts[doubtful]
        endings = codes[places - 2].astype(np.uint16) << 8 | codes[places - 1]
        doubtful[doubtful] = np.isin(endings, _WHITE_SPACE_ENDINGS)
        cuts = cuts[~doubtful]
    return np.concatenate(([0], cuts, [len(block)]))


def count_chunks(block: bytes) -> dict[bytes, int]:
    """How often each chunk occurs in a block.

    Chunks of up to 8 bytes (90 % in English) are counted as integers, by sorting; the others one by one.

    Example:
        >>> sorted(count_chunks(b"so, so so\\n").items())
        [(b'\\n', 1), (b' so', 2), (b',', 1), (b'so', 1)]
    """
    if not block:
        return {}
    cuts = find_cuts(block)
    starts, lengths = cuts[:-1], np.diff(cuts)
    short = lengths <= 8
    # the eight bytes from each offset: a view without a copy
    words = np.ndarray(len(block), dtype="<u8", buffer=block + SEPARATOR * 8, strides=(1,))
    keys, counts = np.unique(words[starts[short]] | _PADDING[lengths[short]], return_counts=True)
    key_bytes = keys.astype("<u8").tobytes()
    chunks = {key_bytes[8 * row : 8 * row + 8].rstrip(SEPARATOR): count for row, count in enumerate(counts.tolist())}
    chunks.pop(b"", None)  # the separators themselves
    long_starts = starts[~short].tolist()
    long_ends = (starts[~short] + lengths[~short]).tolist()
    chunks.update(Counter([block[start:end] for start, end in zip(long_starts, long_ends, strict=True)]))
    return chunks

"""Cuts a corpus into parts, one for each machine that prepares it. Called by `sources`.

All files are laid end to end, in the order of the inputs, and cut into N ranges with equal numbers of bytes. A file of
rows (`.jsonl`, not packed) is cut at ends of lines. Any other file belongs to the part in which its middle lies. So
every document is in exactly one part, and the parts one after the other have the order of the whole.

Not covered: cuts inside `.gz`, `.zst`, `.parquet` and `.txt` files. A corpus of few such files gives few useful parts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuppence.core.errors import InputError
from tuppence.data.inputs import Source
from tuppence.data.line_ends import line_end_of

_BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Part:
    """One of several parts of a corpus.

    Attributes:
        number: from 1.
        of: number of parts.
    """

    number: int
    of: int

    @classmethod
    def of_text(cls, text: str) -> Part:
        """Reads "I/N".

        Raises:
            InputError: it is no part, such as "6/5".

        Example:
            >>> Part.of_text("2/5")
            Part(number=2, of=5)
        """
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise InputError(f"--part {text} is no part", "give I/N with I from 1 to N, such as 2/5")
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def sources_of_part(sources: Sequence[Source], part: Part) -> list[Source]:
    """Returns the files of one part, the first and the last perhaps as a range of bytes.

    Reads only files that lie across the border of a part.
    """
    total = sum(source.entry.size for source in sources)
    begin, end = total * (part.number - 1) // part.of, total * part.number // part.of
    chosen, before = [], 0
    for source in sources:
        size = source.entry.size
        first, last = max(begin - before, 0), min(end - before, size)
        if (first, last) == (0, size):
            chosen.append(source)
        elif first < last:
            if _can_be_cut(source):
                chosen += _lines_of(source, first, last)
            elif begin <= before + size // 2 < end:
                chosen.append(source)
        before += size
    return chosen


def _can_be_cut(source: Source) -> bool:
    if source.kind != "jsonl" or source.compression:
        return False
    with source.store.open(source.entry.name) as stream:
        return line_end_of(stream.read(_BLOCK_BYTES)) == b"\n"


def _lines_of(source: Source, first: int, last: int) -> list[Source]:
    """The lines of a file that begin at a byte from `first` to before `last`; nothing if there are none."""
    start, end = _line_start(source, first), _line_start(source, last)
    if start == end:
        return []
    path = f"{source.path} from byte {start:,}" if start else source.path
    return [replace(source, path=path, start=start, end=end, named=False)]


def _line_start(source: Source, offset: int) -> int:
    """The first byte at or after `offset` at which a line begins, or the end of the file."""
    if offset == 0 or offset >= source.entry.size:
        return offset
    with source.store.open(source.entry.name) as stream:
        position = stream.seek(offset - 1)
        while block := stream.read(_BLOCK_BYTES):
            found = block.find(b"\n")
            if found >= 0:
                return position + found + 1
            position += len(block)
    return source.entry.size

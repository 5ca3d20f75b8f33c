"""Pieces of documents, and the report of what was read: common to all readers of files.

A document of any size arrives as pieces of at most `PIECE_CHARACTERS`, cut only where no token can lie across the cut
(`tokenizer.patterns.safe_cut`). How a document is cut depends on its text alone, not on the file around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tuppence.core.console import counted, warn
from tuppence.core.errors import InputError
from tuppence.data.bad_rows import ROW_HINT
from tuppence.tokenizer.patterns import safe_cut

PIECE_CHARACTERS = 2**20


class Piece(NamedTuple):
    """A part of a document, or all of it.

    Attributes:
        source: the file it comes from.
        number: of the document (text) or row (jsonl, parquet) in that file, from 1.
        text: at most `PIECE_CHARACTERS` characters.
        last: whether the document ends with this piece.
    """

    source: str
    number: int
    text: str
    last: bool


@dataclass
class ReadReport:
    """What was read and what was left out; filled in while the pieces are drawn.

    Attributes:
        documents: how many were read.
        skipped_rows: how many bad rows were left out.
        first_skipped: why the first of them was.
        unused: by name, the number of rows with something that is read in rows for finetuning, but not in documents: a
            weight other than 1, or the first value of a repeated key.
        web_pages: files that look like a web page, perhaps an error page of a server.
    """

    documents: int = 0
    skipped_rows: int = 0
    first_skipped: InputError | None = None
    unused: Counter[str] = field(default_factory=Counter)
    web_pages: list[str] = field(default_factory=list)

    def warn(self) -> None:
        """Says what was left out, and what looks wrong."""
        if self.first_skipped is not None:
            warn(f"skipped {counted(self.skipped_rows, 'bad row')}; the first: {self.first_skipped.message}")
        if self.unused:
            names = [f"{name} ({counted(rows, 'row')})" for name, rows in self.unused.most_common()]
            warn(f"not used: {', '.join(names)}: every row of a text is read")
        if self.web_pages:
            more = f" and {counted(len(self.web_pages) - 1, 'other file')}" if len(self.web_pages) > 1 else ""
            warn(f"{self.web_pages[0]}{more} looks like a web page, and is read as text: is that what you want?")


def no_text(path: str, skipped: int, first: InputError | None) -> InputError:
    """The error for inputs without a document.

    Args:
        path: of the file, or all that was named.
        skipped: the bad rows that were left out.
        first: what is wrong with the first of them.
    """
    if first is None:
        return InputError(f"{path} holds no text", "name a file that holds text")
    rows = "the only row" if skipped == 1 else f"all {skipped:,} rows"
    was = "was" if skipped == 1 else "were"
    return InputError(
        f"{rows} of {path} {was} skipped; the first: {first.message}",
        first.hint.replace(f"; or {ROW_HINT}", "").replace(ROW_HINT, "fix the rows"),
    )


def cut_document(source: str, number: int, text: str) -> Iterator[Piece]:
    """Cuts one document's whole text into pieces; yields nothing for white space."""
    if not text or text.isspace():
        return
    while len(text) > PIECE_CHARACTERS:
        cut = cut_of(text)
        yield Piece(source, number, text[:cut], last=False)
        text = text[cut:]
    yield Piece(source, number, text, last=True)


def cut_of(text: str) -> int:
    """Where a text longer than a piece is cut; it depends on its first `PIECE_CHARACTERS` and one more."""
    return safe_cut(text, 0, PIECE_CHARACTERS) or PIECE_CHARACTERS


def unless_bad(skip: bool, report: ReadReport, read: Callable[..., str], *row: object) -> str | None:
    """What `read` makes of a row; None for a bad one that may be skipped, which is counted."""
    try:
        return read(*row)
    except InputError as error:
        if not skip:
            raise
        report.skipped_rows += 1
        report.first_skipped = report.first_skipped or error
        return None

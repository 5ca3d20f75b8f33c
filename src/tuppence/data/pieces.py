"""Pieces of documents, and counts of what was read. Used by all readers of documents.

Readers yield a document of any size as pieces of at most `PIECE_CHARACTERS`. A cut never splits a token
(`tokenizer.patterns.safe_cut`), and depends only on the text of the document, not on the rest of the file.
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
    """A part of a document, or the whole document.

    Attributes:
        source: path of its file.
        number: of the document (text), the line (jsonl) or the row (parquet) in that file, from 1.
        text: at most `PIECE_CHARACTERS` characters.
        last: whether it is the last piece of the document.
    """

    source: str
    number: int
    text: str
    last: bool


@dataclass
class ReadReport:
    """Counts of what was read and what was left out. The readers update it with every piece.

    Attributes:
        documents: number of documents that were read.
        skipped_rows: number of bad rows that were left out.
        first_skipped: the error of the first of these rows.
        unused: by name, the number of rows with something that is read in rows for finetuning, but not in documents: a
            weight other than 1, or the first value of a repeated key.
        without_good_rows: by path, the number of rows of files of which all rows were left out.
        web_pages: files that look like a web page, perhaps an error page of a server.
    """

    documents: int = 0
    skipped_rows: int = 0
    first_skipped: InputError | None = None
    unused: Counter[str] = field(default_factory=Counter)
    without_good_rows: dict[str, int] = field(default_factory=dict)
    web_pages: list[str] = field(default_factory=list)

    def warn(self) -> None:
        """Prints warnings of what was left out or not used, and of files that look wrong."""
        if self.first_skipped is not None:
            warn(f"skipped {counted(self.skipped_rows, 'bad row')}; the first: {self.first_skipped.message}")
        for path, rows in self.without_good_rows.items():
            warn(f"nothing was read from {path}: {_all_rows(rows)} bad")
        if self.unused:
            names = [f"{name} ({counted(rows, 'row')})" for name, rows in self.unused.most_common()]
            warn(f"not used: {', '.join(names)}; every row is read")
        if self.web_pages:
            more = f" and {counted(len(self.web_pages) - 1, 'other file')}" if len(self.web_pages) > 1 else ""
            warn(f"{self.web_pages[0]}{more} looks like a web page, and is read as text: is it the right file?")


def no_text(path: str, skipped: int, first: InputError | None) -> InputError:
    """The error for inputs without a document.

    Args:
        path: of the file, or all inputs.
        skipped: number of bad rows that were left out.
        first: the error of the first of these rows.
    """
    if first is None:
        return InputError(f"{path} holds no text", "name a file that holds text")
    which = "the only row" if skipped == 1 else f"all {skipped:,} rows"
    was = "was" if skipped == 1 else "were"
    return InputError(
        f"{which} of {path} {was} skipped; the first: {first.message}",
        first.hint.replace(f"; or {ROW_HINT}", "").replace(
            ROW_HINT, 'write each row as an object like {"text": "…"}, or name a file with such rows'
        ),
    )


def _all_rows(count: int) -> str:
    return "its only row is" if count == 1 else f"all {count:,} rows are"


def cut_document(source: str, number: int, text: str) -> Iterator[Piece]:
    """Yields the pieces of a document; none if its text is only white space."""
    if not text or text.isspace():
        return
    while len(text) > PIECE_CHARACTERS:
        cut = cut_of(text)
        yield Piece(source, number, text[:cut], last=False)
        text = text[cut:]
    yield Piece(source, number, text, last=True)


def cut_of(text: str) -> int:
    """The length of the first piece of a text longer than a piece.

    It depends only on the first `PIECE_CHARACTERS` + 1 characters.
    """
    return safe_cut(text, 0, PIECE_CHARACTERS) or PIECE_CHARACTERS


def unless_bad(skip: bool, report: ReadReport, read: Callable[..., str], *row: object) -> str | None:
    """Returns `read(*row)`. For a bad row: returns None and counts the row if `skip`, otherwise raises the error."""
    try:
        return read(*row)
    except InputError as error:
        if not skip:
            raise
        report.skipped_rows += 1
        report.first_skipped = report.first_skipped or error
        return None

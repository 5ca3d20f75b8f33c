"""Streams of text from files, folders and globs, for tokenizer training, preparation and evaluation.

Memory is bounded for files and documents of any size: at most a piece of about a million characters is held. A row of a
.jsonl or .parquet file is a document. A .txt or .md file is one document, unless `<|endoftext|>` separates several, on
a line of its own or inside a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuppence.data.inputs import Inputs, Source, find_sources, input_names, warn_of_passed_over
from tuppence.data.parts import Part, sources_of_part
from tuppence.data.pieces import Piece, ReadReport, no_text
from tuppence.data.readers import read_pieces
from tuppence.data.unpacking import OnBytes


@dataclass(frozen=True)
class Document:
    """One document of a stream.

    Attributes:
        name: file and number, "novels.txt:3".
        blocks: its text in blocks; they can be read until the next document is requested.
    """

    name: str
    blocks: Iterator[str]


def iter_pieces(
    inputs: Inputs,
    *,
    text_key: str = "text",
    skip_bad_rows: bool = False,
    on_bytes: OnBytes | None = None,
    report: ReadReport | None = None,
    part: Part | None = None,
) -> Iterator[Piece]:
    """Yields the pieces of all documents of `inputs`, in order.

    Args:
        inputs: one or several files, folders (recursive, sorted) or globs of .txt .md .jsonl .parquet, also .gz .zst.
        text_key: the key or column that holds the text of a row.
        skip_bad_rows: leave out rows without usable text instead of refusing them; `report` counts them.
        on_bytes: called with the number of bytes that were read from a file, before unpacking; for a progress bar.
        report: updated with every piece.
        part: read only this part of the corpus, which may have no text.

    Raises:
        InputError: missing, empty, binary, damaged or wrongly encoded files, bad rows, or no text.
    """
    report = ReadReport() if report is None else report
    before, skipped_before = report.documents, report.skipped_rows
    for source in sources_to_read(inputs, part):
        yield from read_pieces(source, text_key=text_key, skip_bad_rows=skip_bad_rows, report=report, on_bytes=on_bytes)
    if report.documents == before and part is None:
        raise no_text(", ".join(input_names(inputs)), report.skipped_rows - skipped_before, report.first_skipped)


def iter_texts(
    inputs: Inputs, *, text_key: str = "text", skip_bad_rows: bool = False, on_bytes: OnBytes | None = None
) -> Iterator[str]:
    """Yields blocks of text of at most about 4 MiB. Each is part of one document, and no cut splits a token.

    For counting words in tokenizer training. Arguments and errors as for `iter_pieces`. Warns at the end of what was
    left out.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "two.txt"
        >>> _ = file.write_text("One story.\\n<|endoftext|>\\nAnother.")
        >>> list(iter_texts([str(file)]))
        ['One story.', 'Another.']
    """
    report = ReadReport()
    for piece in iter_pieces(inputs, text_key=text_key, skip_bad_rows=skip_bad_rows, on_bytes=on_bytes, report=report):
        yield piece.text
    warn_of_passed_over(inputs)
    report.warn()


def iter_documents(
    inputs: Inputs, *, text_key: str = "text", skip_bad_rows: bool = False, on_bytes: OnBytes | None = None
) -> Iterator[Document]:
    """Yields the documents of `inputs`, each with its text as a stream of blocks. Arguments as for `iter_pieces`.

    When the next document is requested, unread blocks of the current one are skipped.
    """
    pieces = iter_pieces(inputs, text_key=text_key, skip_bad_rows=skip_bad_rows, on_bytes=on_bytes)
    for first in pieces:
        blocks = _blocks(first, pieces)
        yield Document(f"{first.source}:{first.number}", blocks)
        for _ in blocks:
            pass


def _blocks(first: Piece, pieces: Iterator[Piece]) -> Iterator[str]:
    piece = first
    yield piece.text
    while not piece.last:
        piece = next(pieces)
        yield piece.text


def sources_to_read(inputs: Inputs, part: Part | None = None) -> list[Source]:
    """The files of `inputs`, or those of a part of them."""
    sources = find_sources(inputs)
    return sources if part is None else sources_of_part(sources, part)


def total_bytes(inputs: Inputs, part: Part | None = None) -> int:
    """The size of all files of `inputs`, before unpacking: the total of the numbers that `on_bytes` gets."""
    return sum(source.size for source in sources_to_read(inputs, part))

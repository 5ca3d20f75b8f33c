"""Text from files, folders and globs, as a stream: for tokenizer training, preparation and evaluation.

Memory stays bounded whatever the size of a file or of a document: nothing larger than a piece of about a million
characters is held. A row of a .jsonl or .parquet file is a document; a .txt or .md file is one document, unless
`<|endoftext|>` separates several (on a line of its own, as we write it, or inline, as some public files have it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuppence.data.inputs import Inputs, find_sources, input_names, warn_of_passed_over
from tuppence.data.pieces import Piece, ReadReport, no_text
from tuppence.data.readers import read_pieces
from tuppence.data.unpacking import OnBytes


@dataclass(frozen=True)
class Document:
    """One document of a stream.

    Attributes:
        name: file and number, "novels.txt:3".
        blocks: its text in blocks; valid until the next document is drawn.
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
) -> Iterator[Piece]:
    """The pieces of all documents of `inputs`, in order.

    Args:
        inputs: one or several files, folders (recursive, sorted) or globs of .txt .md .jsonl .parquet, also .gz .zst.
        text_key: the key or column that holds the text of a row.
        skip_bad_rows: leave out rows without usable text instead of refusing them; `report` counts them.
        on_bytes: called with the bytes just read, as they lie in the files, for a progress bar.
        report: filled in along the way.

    Raises:
        InputError: missing, empty, binary, damaged or wrongly encoded files, bad rows, no text at all.
    """
    report = ReadReport() if report is None else report
    before, skipped_before = report.documents, report.skipped_rows
    for source in find_sources(inputs):
        yield from read_pieces(source, text_key=text_key, skip_bad_rows=skip_bad_rows, report=report, on_bytes=on_bytes)
    if report.documents == before:
        raise no_text(", ".join(input_names(inputs)), report.skipped_rows - skipped_before, report.first_skipped)


def iter_texts(
    inputs: Inputs, *, text_key: str = "text", skip_bad_rows: bool = False, on_bytes: OnBytes | None = None
) -> Iterator[str]:
    """Blocks of text of at most about 4 MiB, never across two documents, cut where no token lies across the cut.

    Made for counting words (tokenizer training). Arguments and errors are those of `iter_pieces`. Says at the end what
    was left out.

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
    """The documents of `inputs`, each with its text as a stream of blocks (see `iter_pieces`).

    Whatever is left of a document when the next one is asked for is skipped.
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


def total_bytes(inputs: Inputs) -> int:
    """The size of all files of `inputs` as they lie there: the total that `on_bytes` counts towards."""
    return sum(source.entry.size for source in find_sources(inputs))

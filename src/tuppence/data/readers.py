"""Reads the documents of one file in pieces and in bounded memory.

Chooses the reader for the kind of file: `text_files`, `jsonl_files` or `parquet_files`. Called by `sources`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuppence.data.inputs import Source
from tuppence.data.jsonl_files import jsonl_pieces
from tuppence.data.parquet_files import parquet_pieces
from tuppence.data.pieces import Piece, ReadReport, no_text
from tuppence.data.text_files import text_pieces
from tuppence.data.unpacking import OnBytes


def read_pieces(
    source: Source, *, text_key: str, skip_bad_rows: bool, report: ReadReport, on_bytes: OnBytes | None = None
) -> Iterator[Piece]:
    """Yields the documents of one file, in order, without documents of only white space.

    Args:
        source: the file.
        text_key: key or column of a row's text.
        skip_bad_rows: leave out bad rows, and count them in `report`.
        report: updated with every piece.
        on_bytes: called with the number of bytes that were read from the file, before unpacking.

    Raises:
        InputError: binary content, an encoding that is not UTF-8, a bad row (unless skipped), or no text.
            A file of which all rows were skipped is no error: `report` names it.
    """
    if source.kind == "text":
        documents = text_pieces(source, report, on_bytes)
    elif source.kind == "jsonl":
        documents = jsonl_pieces(source, text_key, skip_bad_rows, report, on_bytes)
    else:
        documents = parquet_pieces(source, text_key, skip_bad_rows, report, on_bytes)
    documents_before, skipped_before, first = report.documents, report.skipped_rows, report.first_skipped
    report.first_skipped = None  # of this file
    for piece in documents:
        report.documents += piece.last
        yield piece
    if report.documents == documents_before:
        skipped = report.skipped_rows - skipped_before
        if skipped:
            report.without_good_rows[source.path] = skipped
        elif source.named:
            raise no_text(source.path, 0, None)
    report.first_skipped = first or report.first_skipped

"""Turns the bytes of one file into documents, piece by piece, in bounded memory: the choice by kind of file.

`sources` calls it. `text_files`, `jsonl_files` and `parquet_files` do the reading.
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
    """The documents of one file, in order. Documents of nothing but white space are left out.

    Raises:
        InputError: binary content, an encoding that is not UTF-8, a bad row (unless skipped), no text at all.
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
    if report.documents == documents_before and source.named:
        raise no_text(source.path, report.skipped_rows - skipped_before, report.first_skipped)
    report.first_skipped = first or report.first_skipped

"""Turns the bytes of one file into documents, piece by piece, in bounded memory.

A document of any size arrives as pieces of at most `PIECE_CHARACTERS`, cut only where no token can lie across the
cut (`tokenizer.patterns.safe_cut`). How a document is cut depends on its text alone, not on the file around it.
`sources` is the public face of this file.
"""

from __future__ import annotations

import codecs
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tuppence.core.errors import CorruptFileError, InputError, MissingExtraError
from tuppence.data.inputs import OnBytes, Source, read_chunks
from tuppence.tokenizer.patterns import safe_cut

SEPARATOR = "<|endoftext|>"
"""Separates the documents of a .txt or .md file, wherever it stands; the line breaks around it go with it."""

PIECE_CHARACTERS = 2**20
ROW_LIMIT_BYTES = 64 * 2**20
_SEPARATOR_SLACK = len("\r\n" + SEPARATOR)

_ARRAY_HINT = "it looks like a JSON array: write one JSON object a line (jq -c '.[]' FILE > FILE.jsonl)"
_ROW_HINT = "fix the row, or pass --skip-bad-rows to leave such rows out"


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
    """What reading met on its way; filled in while the pieces are drawn."""

    documents: int = 0
    skipped_rows: int = 0


def read_pieces(
    source: Source, *, text_key: str, skip_bad_rows: bool, report: ReadReport, on_bytes: OnBytes | None = None
) -> Iterator[Piece]:
    """The documents of one file, in order. Documents of nothing but white space are left out.

    Raises:
        InputError: binary content, an encoding that is not UTF-8, a bad row (unless skipped), no text at all.
    """
    if source.kind == "text":
        documents = _text_pieces(source, on_bytes)
    elif source.kind == "jsonl":
        documents = _jsonl_pieces(source, text_key, skip_bad_rows, report, on_bytes)
    else:
        documents = _parquet_pieces(source, text_key, skip_bad_rows, report, on_bytes)
    before = report.documents
    for piece in documents:
        report.documents += piece.last
        yield piece
    if report.documents == before and source.named:
        raise InputError(f"{source.path} holds no text", "name a file that holds text")


def cut_document(source: str, number: int, text: str) -> Iterator[Piece]:
    """Cuts one document's whole text into pieces; yields nothing for white space."""
    if not text or text.isspace():
        return
    while len(text) > PIECE_CHARACTERS:
        cut = _cut_of(text)
        yield Piece(source, number, text[:cut], last=False)
        text = text[cut:]
    yield Piece(source, number, text, last=True)


def _cut_of(text: str) -> int:
    """Where a text longer than a piece is cut; it depends on its first `PIECE_CHARACTERS` and one more."""
    return safe_cut(text, 0, PIECE_CHARACTERS) or PIECE_CHARACTERS


def _text_pieces(source: Source, on_bytes: OnBytes | None) -> Iterator[Piece]:
    rest = ""  # of the document being read; its first line break may still be the separator's
    number, follows_separator, begun = 1, False, False
    for chunk in decoded_text(source, on_bytes):
        *complete, rest = (rest + chunk).split(SEPARATOR)
        for text in complete:
            text = _without_end_of_line(_without_start_of_line(text) if follows_separator else text)
            yield from _finish(source, number, text, begun)
            number, follows_separator, begun = number + 1, True, False
        while len(rest) > PIECE_CHARACTERS + _SEPARATOR_SLACK:
            if follows_separator:
                rest, follows_separator = _without_start_of_line(rest), False
                continue
            cut = _cut_of(rest)
            yield Piece(source.path, number, rest[:cut], last=False)
            rest, begun = rest[cut:], True
    yield from _finish(source, number, _without_start_of_line(rest) if follows_separator else rest, begun)


def _finish(source: Source, number: int, text: str, begun: bool) -> Iterator[Piece]:
    """The pieces of a document's end; where it has begun already, even an empty end says that it is over."""
    pieces = list(cut_document(source.path, number, text))
    if begun and not pieces:
        pieces = [Piece(source.path, number, text, last=True)]
    yield from pieces


def _without_start_of_line(text: str) -> str:
    return text[2:] if text.startswith("\r\n") else text.removeprefix("\n")


def _without_end_of_line(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def decoded_text(source: Source, on_bytes: OnBytes | None) -> Iterator[str]:
    """UTF-8 text in chunks; a byte-order mark is dropped, line ends stay as they are."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = lines = 0
    for chunk in read_chunks(source, on_bytes):
        if offset == 0:
            _refuse_other_unicode(source, chunk)
            if chunk.startswith(codecs.BOM_UTF8):
                chunk, offset = chunk[3:], 3
        zero = chunk.find(b"\0")
        if zero >= 0:
            raise InputError(
                f"{source.path} is binary: a zero byte at offset {offset + zero:,}", "name a UTF-8 text file"
            )
        pending = len(decoder.getstate()[0])  # bytes of a character that the last chunk began
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _not_utf8(source, offset - pending, lines, error) from error
        offset += len(chunk)
        lines += chunk.count(b"\n")
        yield text
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_utf8(source, offset - pending, lines, error) from error


def _refuse_other_unicode(source: Source, chunk: bytes) -> None:
    if not chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return
    wide = chunk.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))  # the one begins as UTF-16's does
    name = "UTF-32" if wide else "UTF-16"
    raise InputError(
        f"{source.path} is {name}, not UTF-8", f"convert it: iconv -f {name} -t UTF-8 {source.path} > new.txt"
    )


def _not_utf8(source: Source, offset: int, lines: int, error: UnicodeDecodeError) -> InputError:
    line = lines + error.object[: error.start].count(b"\n") + 1
    return InputError(
        f"{source.path} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset"
        f" {offset + error.start:,} (line {line:,})",
        "convert it, for example from Latin-1: iconv -f LATIN1 -t UTF-8",
    )


def _jsonl_pieces(
    source: Source, text_key: str, skip_bad_rows: bool, report: ReadReport, on_bytes: OnBytes | None
) -> Iterator[Piece]:
    for number, line in _lines(source, on_bytes):
        text = _unless_bad(skip_bad_rows, report, _row_text, source, number, line, text_key)
        if text is not None:
            yield from cut_document(source.path, number, text)


def _unless_bad(skip: bool, report: ReadReport, read: Callable[..., str], *row: object) -> str | None:
    """What `read` makes of a row; None for a bad one that may be skipped, which is counted."""
    try:
        return read(*row)
    except InputError:
        if not skip:
            raise
        report.skipped_rows += 1
        return None


def _lines(source: Source, on_bytes: OnBytes | None) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of every line that is not blank."""
    number, rest = 1, b""
    for chunk in read_chunks(source, on_bytes):
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            if line and not line.isspace():
                yield number, line
            number += 1
        if len(rest) > ROW_LIMIT_BYTES:
            raise InputError(
                f"{source.path}, row {number:,}: longer than {ROW_LIMIT_BYTES // 2**20} MiB",
                "a .jsonl file has one JSON object a line; put long texts into a .txt file",
            )
    if rest and not rest.isspace():
        yield number, rest


def _row_text(source: Source, number: int, line: bytes, text_key: str) -> str:
    where = f"{source.path}, row {number:,}"
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 (byte {error.start:,} of the row)", _ROW_HINT) from error
    except (ValueError, RecursionError) as error:
        hint = _ARRAY_HINT if line.lstrip().startswith(b"[") else _ROW_HINT
        raise InputError(f"{where}: not valid JSON ({error})", hint) from error
    if not isinstance(row, dict):
        rows = isinstance(row, list) and row and isinstance(row[0], dict)
        hint = _ARRAY_HINT if rows else _ROW_HINT
        raise InputError(f"{where}: not a JSON object but {json_kind(row)}", hint)
    if text_key not in row:
        keys = ", ".join(map(str, list(row)[:8])) or "nothing"
        raise InputError(
            f"{where}: no key '{text_key}' (it has {keys})", f"name the key with --text-key; or {_ROW_HINT}"
        )
    return _checked_text(where, row[text_key], text_key)


def json_kind(value: object) -> str:
    """What a value is in JSON's words: they stand in the person's file, ours do not."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _parquet_text(where: str, value: Any, text_key: str) -> str:
    """The text of an Arrow scalar; nobody looked at its bytes when the file was written."""
    try:
        text = value.as_py()
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: '{text_key}' is not UTF-8 (byte {error.start:,} of the text)", _ROW_HINT) from error
    return _checked_text(where, text, text_key)


def _checked_text(where: str, text: object, text_key: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{where}: '{text_key}' is not a string but {json_kind(text)}", _ROW_HINT)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:  # "\ud800" in JSON: half of a character
            raise InputError(f"{where}: '{text_key}' is not valid Unicode ({error.reason})", _ROW_HINT) from error
    return text


def _parquet_pieces(
    source: Source, text_key: str, skip_bad_rows: bool, report: ReadReport, on_bytes: OnBytes | None
) -> Iterator[Piece]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "files", f"reading {source.path}") from error
    number = 0
    with source.store.open(source.entry.name) as stream:
        try:
            with parquet.ParquetFile(stream, pre_buffer=False) as table:
                names, total = table.schema_arrow.names, max(table.metadata.num_rows, 1)
                if text_key not in names:
                    raise InputError(
                        f"{source.path}: no column '{text_key}' (it has {', '.join(names[:8])})",
                        "name the column with --text-key",
                    )
                batches = table.iter_batches(batch_size=256, columns=[text_key], use_threads=False)
                with contextlib.closing(batches):
                    for batch in batches:
                        for value in batch.column(0):
                            number += 1
                            row = (f"{source.path}, row {number:,}", value, text_key)
                            text = _unless_bad(skip_bad_rows, report, _parquet_text, *row)
                            if text is not None:
                                yield from cut_document(source.path, number, text)
                        if on_bytes is not None:
                            on_bytes(source.entry.size * batch.num_rows // total)
        except (arrow.ArrowException, OSError) as error:
            raise CorruptFileError(
                f"{source.path} is not a sound parquet file: {' '.join(str(error).split())[:200]}",
                "get the file again",
            ) from error

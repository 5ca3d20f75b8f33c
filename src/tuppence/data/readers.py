"""Turns the bytes of one file into documents, piece by piece, in bounded memory.

A document of any size arrives as pieces of at most `PIECE_CHARACTERS`, cut only where no token can lie across the
cut (`tokenizer.patterns.safe_cut`). How a document is cut depends on its text alone, not on the file around it.
`sources` is the public face of this file.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tuppence.core.console import counted, warn
from tuppence.core.errors import CorruptFileError, InputError, MissingExtraError
from tuppence.data.inputs import Source
from tuppence.data.unpacking import OnBytes, read_chunks, refuse_other_content
from tuppence.tokenizer.patterns import safe_cut
from tuppence.tokenizer.vocabulary import END_OF_TEXT

SEPARATOR = END_OF_TEXT
"""Separates the documents of a .txt or .md file, wherever it stands; the line breaks around it go with it."""

PIECE_CHARACTERS = 2**20
ROW_LIMIT_BYTES = 64 * 2**20
_SEPARATOR_SLACK = len("\r\n" + SEPARATOR)

_ARRAY_HINT = "it looks like a JSON array: write one JSON object a line (jq -c '.[]' FILE > FILE.jsonl)"
_PRETTY_HINT = (
    "it looks like one JSON document over several lines: write one JSON object a line (jq -c . FILE > FILE.jsonl; where"
    " the rows are a list under the key data: jq -c '.data[]' FILE > FILE.jsonl)"
)
_COMMA_HINT = "a row ends with its object: remove the comma behind it (sed 's/,[[:space:]]*$//' FILE > FILE.jsonl)"
_SKIP_HINT = "pass --skip-bad-rows to leave such rows out"
_ROW_HINT = f"fix the row, or {_SKIP_HINT}"
_TEXT_TYPES = {f"{size}{kind}" for size in ("", "large_") for kind in ("string", "binary")}
_TEXT_TYPES |= {"string_view", "binary_view", "fixed_size_binary", "null"}  # of a column of nulls every row is bad
_WEB_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_WEB_PAGE_BYTES = 2**16  # larger ones are not what a server sends with an error


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
    """What reading met on its way; filled in while the pieces are drawn.

    Attributes:
        documents: how many were read.
        skipped_rows: how many bad rows were left out.
        first_skipped: why the first of them was.
        web_pages: files that look like a web page, perhaps a server's error in the place of the text.
    """

    documents: int = 0
    skipped_rows: int = 0
    first_skipped: InputError | None = None
    web_pages: list[str] = field(default_factory=list)

    def warn(self) -> None:
        """Says what was left out, and what looks wrong."""
        if self.first_skipped is not None:
            warn(f"skipped {counted(self.skipped_rows, 'bad row')}; the first: {self.first_skipped.message}")
        if self.web_pages:
            more = f" and {counted(len(self.web_pages) - 1, 'other file')}" if len(self.web_pages) > 1 else ""
            warn(f"{self.web_pages[0]}{more} looks like a web page, and is read as text: is that what you want?")


def read_pieces(
    source: Source, *, text_key: str, skip_bad_rows: bool, report: ReadReport, on_bytes: OnBytes | None = None
) -> Iterator[Piece]:
    """The documents of one file, in order. Documents of nothing but white space are left out.

    Raises:
        InputError: binary content, an encoding that is not UTF-8, a bad row (unless skipped), no text at all.
    """
    if source.kind == "text":
        documents = _text_pieces(source, report, on_bytes)
    elif source.kind == "jsonl":
        documents = _jsonl_pieces(source, text_key, skip_bad_rows, report, on_bytes)
    else:
        documents = _parquet_pieces(source, text_key, skip_bad_rows, report, on_bytes)
    documents_before, skipped_before, first = report.documents, report.skipped_rows, report.first_skipped
    report.first_skipped = None  # of this file
    for piece in documents:
        report.documents += piece.last
        yield piece
    if report.documents == documents_before and source.named:
        raise no_text(source.path, report.skipped_rows - skipped_before, report.first_skipped)
    report.first_skipped = first or report.first_skipped


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
        first.hint.replace(f"; or {_ROW_HINT}", "").replace(_ROW_HINT, "fix the rows"),
    )


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


def _text_pieces(source: Source, report: ReadReport, on_bytes: OnBytes | None) -> Iterator[Piece]:
    rest = ""  # of the document being read; its first line break may still be the separator's
    number, follows_separator, begun = 1, False, False
    at_beginning = True
    for chunk in decoded_text(source, on_bytes):
        if at_beginning and len(chunk) < _WEB_PAGE_BYTES and _WEB_PAGE.match(chunk):
            report.web_pages.append(source.path)
        at_beginning = False
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
            _refuse_other_unicode(source.path, chunk)
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


def _refuse_other_unicode(path: str, chunk: bytes) -> None:
    """Names UTF-16 and UTF-32 by their byte-order marks; without one they are taken for what `decoded_text` finds."""
    if not chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return
    wide = chunk.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))  # the one begins as UTF-16's does
    name = "UTF-32" if wide else "UTF-16"
    raise InputError(
        f"{path} is {name}, not UTF-8",
        f"convert it: iconv -f {name} -t UTF-8 {shlex.quote(path)} > new{Path(path).suffix}",
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
    except InputError as error:
        if not skip:
            raise
        report.skipped_rows += 1
        report.first_skipped = report.first_skipped or error
        return None


def _lines(source: Source, on_bytes: OnBytes | None) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line) of every line that is not blank; None for one that is longer than `ROW_LIMIT_BYTES`."""
    number, size = 1, 0
    waiting: list[bytes] = []  # of the line being read; empty where it is too long already
    at_beginning = True
    for chunk in read_chunks(source, on_bytes):
        if at_beginning:
            _refuse_other_unicode(source.path, chunk)
        at_beginning = False
        first, *others = chunk.split(b"\n")
        waiting, size = [*waiting, first], size + len(first)
        for begin in others:
            yield from _one_line(number, waiting, size)
            number, waiting, size = number + 1, [begin], len(begin)
        if size > ROW_LIMIT_BYTES:
            waiting = []
    yield from _one_line(number, waiting, size)


def _one_line(number: int, parts: list[bytes], size: int) -> Iterator[tuple[int, bytes | None]]:
    if size > ROW_LIMIT_BYTES:
        yield number, None
        return
    line = b"".join(parts)
    if line and not line.isspace():
        yield number, line


def _row_text(source: Source, number: int, line: bytes | None, text_key: str) -> str:
    where = f"{source.path}, row {number:,}"
    if line is None:
        raise InputError(
            f"{where}: longer than {ROW_LIMIT_BYTES // 2**20} MiB",
            f"a .jsonl file has one JSON object a line; put long texts into a .txt file, or {_SKIP_HINT}",
        )
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 (byte {error.start:,} of the row)", _ROW_HINT) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON ({error})", _syntax_hint(number, line)) from error
    if not isinstance(row, dict):
        rows = isinstance(row, list) and row and isinstance(row[0], dict)
        hint = _ARRAY_HINT if rows else _ROW_HINT
        raise InputError(f"{where}: not a JSON object but {json_kind(row)}", hint)
    try:
        text = _value_of(row, text_key)
    except KeyError as error:
        keys = ", ".join(map(str, list(row)[:8])) or "nothing"
        raise InputError(
            f"{where}: no key '{text_key}' (it has {keys})", f"name the key with --text-key; or {_ROW_HINT}"
        ) from error
    return _checked_text(where, text, text_key)


def _syntax_hint(number: int, line: bytes) -> str:
    """What to do about a row that is not JSON, as far as it shows what the person has."""
    line = line.strip()
    if line.startswith(b"["):
        return _ARRAY_HINT
    if line.endswith(b"},"):
        return _COMMA_HINT
    if number == 1 and (line == b"{" or (line.startswith(b"{") and line.endswith((b"[", b"{", b",")))):
        return _PRETTY_HINT
    return _ROW_HINT


def _value_of(row: dict[str, Any], key: str) -> Any:
    """What stands under a key, or under a path of keys: "meta.text" where there is no key of that name.

    Raises:
        KeyError: there is none.
    """
    if key in row:
        return row[key]
    value: Any = row
    for part in key.split("."):
        if not isinstance(value, dict):
            raise KeyError(key)
        value = value[part]
    return value


def json_kind(value: object) -> str:
    """What a value is in JSON's words: they stand in the person's file, ours do not."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _parquet_text(where: str, value: Any, text_key: str, inside: Sequence[str]) -> str:
    """The text of an Arrow scalar; nobody looked at its bytes when the file was written.

    Args:
        inside: the names that lead from the scalar, a structure, to its text.
    """
    try:
        text = value.as_py()
        for name in inside:
            text = None if text is None else text[name]
        if isinstance(text, bytes):  # a column without the note that its bytes are UTF-8
            text = text.decode()
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
        refuse_other_content(source, stream)
        try:
            with parquet.ParquetFile(stream, pre_buffer=False) as table:
                total = max(table.metadata.num_rows, 1)
                inside = _path_inside(source.path, table.schema_arrow, text_key)
                batches = table.iter_batches(batch_size=256, columns=[text_key], use_threads=False)
                with contextlib.closing(batches):
                    for batch in batches:
                        for value in batch.column(0):
                            number += 1
                            row = (f"{source.path}, row {number:,}", value, text_key, inside)
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


def _path_inside(path: str, schema: Any, text_key: str) -> list[str]:
    """The names that lead from a column to its texts: none, or ["text"] for the key "meta.text" of a structure.

    Raises:
        InputError: there is no such column, or it holds something else than text.
    """
    import pyarrow as arrow

    column, *inside = [text_key] if text_key in schema.names else text_key.split(".")
    kind = schema.field(column).type if column in schema.names else None
    for name in inside:
        place = kind.get_field_index(name) if kind is not None and arrow.types.is_struct(kind) else -1
        kind = kind.field(place).type if kind is not None and place >= 0 else None
    listed = ", ".join(schema.names[:8])
    if kind is None:
        raise InputError(f"{path}: no column '{text_key}' (it has {listed})", "name the column with --text-key")
    inner = kind.value_type if arrow.types.is_dictionary(kind) else kind
    if _type_name(inner) not in _TEXT_TYPES:
        raise InputError(
            f"{path}: column '{text_key}' holds {_type_name(kind)}, not text",
            f"name the column of the texts with --text-key (there is {listed})",
        )
    return inside


def _type_name(kind: Any) -> str:
    """An Arrow type without what it is made of: "list" of "list<item: string>"."""
    return re.sub(r"[<\[].*", "", str(kind), flags=re.DOTALL)

"""The documents of .jsonl files: one JSON object a line, its text under a key. Called by `readers`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tuppence.core.encodings import refuse_other_unicode
from tuppence.data.bad_rows import ROW_HINT, SKIP_HINT, BadRowError, at_line, checked_text, json_fault, json_kind
from tuppence.data.inputs import Source
from tuppence.data.line_ends import line_end_of
from tuppence.data.pieces import Piece, ReadReport, cut_document, unless_bad
from tuppence.data.records.json_rows import JsonParser
from tuppence.data.unpacking import OnBytes, read_chunks
from tuppence.data.weights import WEIGHT_NAMES, unused_weight

ROW_LIMIT_BYTES = 64 * 2**20
_ARRAY_HINT = "it looks like a JSON array: write one JSON object a line (jq -c '.[]' FILE > FILE.jsonl)"
_PRETTY_HINT = (
    "it looks like one JSON document over several lines: write one JSON object a line (jq -c . FILE > FILE.jsonl; where"
    " the rows are a list under the key data: jq -c '.data[]' FILE > FILE.jsonl)"
)
_COMMA_HINT = "a row ends with its object: remove the comma after it (sed 's/,[[:space:]]*$//' FILE > FILE.jsonl)"


def jsonl_pieces(
    source: Source, text_key: str, skip_bad_rows: bool, report: ReadReport, on_bytes: OnBytes | None
) -> Iterator[Piece]:
    for number, line in _lines(source, on_bytes):
        text = unless_bad(skip_bad_rows, report, _row_text, source, number, line, text_key, report)
        if text is not None:
            yield from cut_document(source.path, number, text)


def _lines(source: Source, on_bytes: OnBytes | None) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line) of every line that is not blank; the line is None if it exceeds `ROW_LIMIT_BYTES`."""
    number, size = 1, 0
    waiting: list[bytes] = []  # parts of the current line; empty if it is too long
    line_end = None
    for chunk in read_chunks(source, on_bytes):
        if line_end is None:
            refuse_other_unicode(source.path, chunk)
            line_end = line_end_of(chunk) if source.end is None else b"\n"  # a part of a file was cut at line feeds
        first, *others = chunk.split(line_end)
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


def _row_text(source: Source, number: int, line: bytes | None, text_key: str, report: ReadReport) -> str:
    """The text of a row; counts what else the row says of it."""
    where = at_line(source.path, number)
    if line is None:
        raise BadRowError(
            f"{where}: longer than {ROW_LIMIT_BYTES // 2**20} MiB",
            f"a .jsonl file has one JSON object a line; put long texts into a .txt file, or {SKIP_HINT}",
        )
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadRowError(f"{where}: not UTF-8 (byte {error.start:,} of the line)") from error
    except (ValueError, RecursionError) as error:
        raise BadRowError(f"{where}: not valid JSON ({json_fault(error)})", _syntax_hint(number, line)) from error
    if not isinstance(row, dict):
        rows = isinstance(row, list) and row and isinstance(row[0], dict)
        hint = _ARRAY_HINT if rows else ROW_HINT
        raise BadRowError(f"{where}: not a JSON object but {json_kind(row)}", hint)
    try:
        text = _value_of(row, text_key)
    except KeyError as error:
        keys = ", ".join(map(str, list(row)[:8])) or "nothing"
        raise BadRowError(
            f"{where}: no key '{text_key}' (it has {keys})", f"name the key with --text-key; or {ROW_HINT}"
        ) from error
    text = checked_text(text, where, f"'{text_key}'")
    report.unused.update(
        filter(None, (unused_weight(name, row.get(name)) for name in WEIGHT_NAMES if name != text_key))
    )
    _count_repeated(line, text_key, report)
    return text


def _count_repeated(line: bytes, text_key: str, report: ReadReport) -> None:
    """Counts a row with two or more texts: of a repeated key the last value is read."""
    key = text_key.rpartition(".")[2]
    if line.count(f'"{key}"'.encode()) > 1:
        parser = JsonParser()
        if key in parser.repeated_in(parser.parse(line.decode("utf-8-sig"))):
            report.unused[f'all but the last value of "{key}"'] += 1


def _syntax_hint(number: int, line: bytes) -> str:
    """The hint for a row that is not JSON, from the form of the row."""
    line = line.strip()
    if line.startswith(b"["):
        return _ARRAY_HINT
    if line.endswith(b"},"):
        return _COMMA_HINT
    if number == 1 and (line == b"{" or (line.startswith(b"{") and line.endswith((b"[", b"{", b",")))):
        return _PRETTY_HINT
    return ROW_HINT


def _value_of(row: dict[str, Any], key: str) -> Any:
    """The value of a key, or of a path of keys: "meta.text" if there is no key of that name.

    Raises:
        KeyError: there is no such key.
    """
    if key in row:
        return row[key]
    value: Any = row
    for part in key.split("."):
        if not isinstance(value, dict):
            raise KeyError(key)
        value = value[part]
    return value

"""Writes documents and rows to one file, complete or absent, in formats that `sources` and `records` read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.core.files import atomic_file
from tuppence.data.text_files import SEPARATOR

DOCUMENT_SUFFIXES = (".txt", ".jsonl")
ROW_SUFFIXES = (".json", ".jsonl", ".csv", ".tsv")


def check_suffix(out: Path, suffixes: Sequence[str], what: str = "") -> None:
    """Refuses a file name whose suffix is not one of `suffixes`.

    Raises:
        InputError: it is not.
    """
    if out.suffix not in suffixes:
        known = f"{', '.join(suffixes[:-1])} and {suffixes[-1]}"
        raise InputError(f"{out}: we write {what + ' as ' if what else ''}{known}", "choose one of them for --out")


def write_documents(out: Path, texts: Iterable[str], on_document: Callable[[], object] = lambda: None) -> int:
    """Writes one file, complete or absent, from which `sources` reads the same documents.

    Args:
        out: .txt, where a line `<|endoftext|>` follows each document; or .jsonl, an object {"text": …} on each line.
        texts: the documents, read one by one.
        on_document: called after each document, for a progress bar.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: `out` has another suffix, or a text for .txt contains the separator.
    """
    check_suffix(out, DOCUMENT_SUFFIXES)
    with atomic_file(out, follow_link=True) as file:
        for number, text in enumerate(texts):
            if out.suffix == ".jsonl":
                file.write(_json_line({"text": text}))
            else:
                if SEPARATOR in text:
                    raise InputError(f"document {number + 1:,} contains {SEPARATOR}", "write .jsonl instead")
                file.write(f"{text}\n{SEPARATOR}\n".encode())
            on_document()
        return file.tell()


def write_rows(out: Path, rows: Iterable[Mapping[str, str]], on_row: Callable[[], object] = lambda: None) -> int:
    """Writes rows that have the same keys to one file, complete or absent.

    Args:
        out: .json, a list of objects; .jsonl, an object on each line; .csv, with a header; .tsv, values separated by
            tabs, without header and quotes, as in the SMS Spam Collection.
        rows: read one by one.
        on_row: called after each row, for a progress bar.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: `out` has another suffix, or a value for .tsv contains a tab or a line end.
    """
    check_suffix(out, ROW_SUFFIXES)
    with atomic_file(out, follow_link=True) as file:
        if out.suffix == ".json":
            file.write(b"[\n")
        for number, row in enumerate(rows):
            if out.suffix == ".json" and number:
                file.seek(-1, io.SEEK_CUR)  # before the end of the last line
                file.write(b",\n")
            elif out.suffix == ".csv" and not number:
                file.write(_csv_line(row))
            file.write(_line(out.suffix, row, number))
            on_row()
        if out.suffix == ".json":
            file.write(b"]\n")
        return file.tell()


def _line(suffix: str, row: Mapping[str, str], number: int) -> bytes:
    if suffix == ".csv":
        return _csv_line(row.values())
    if suffix != ".tsv":
        return _json_line(row)
    if any(mark in value for value in row.values() for mark in "\t\r\n"):
        raise InputError(f"row {number + 1:,} contains a tab or a line end", "write .csv or .jsonl instead")
    return ("\t".join(row.values()) + "\n").encode()


def _csv_line(values: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue().encode()


def _json_line(row: Mapping[str, str]) -> bytes:
    return json.dumps(dict(row), ensure_ascii=False).encode() + b"\n"

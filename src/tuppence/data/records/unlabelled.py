"""Texts without labels: the input of a classifier.

Lines (.txt, stdin) have one text each; blank lines are left out, and memory is bounded for a stream of any length. A
table (.csv, .tsv, .json, .jsonl) has a text column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from tuppence.core.encodings import not_utf8, refuse_other_unicode
from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError, at_line
from tuppence.data.line_ends import line_end_of
from tuppence.data.records.cells import stem_of
from tuppence.data.records.labelled import TEXT_NAMES
from tuppence.data.records.rows import Row
from tuppence.data.records.tables import iter_rows, open_file
from tuppence.data.unpacking import read_chunks

LINE_LIMIT_BYTES = 16 * 2**20

_TABLES = (".csv", ".tsv", ".json", ".jsonl")
_NAME_IT = "name it with --text-column (a name, or a number from 0)"


def iter_unlabelled(path: str, *, text_column: str | None = None) -> Iterator[str]:
    """Yields the texts of a file. Its suffix decides whether it is a table or lines; it can be packed as .gz or .zst.

    Args:
        text_column: of a table. Default: the column with a usual name, or the only column.

    Raises:
        InputError: the file cannot be read, its text column cannot be determined, or a row has no text.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_text('id,text\\n1,See you at noon\\n2,"You have WON, call"\\n')
        >>> list(iter_unlabelled(str(file)))
        ['See you at noon', 'You have WON, call']
    """
    if stem_of(path).endswith(_TABLES):
        return _of_table(path, text_column)
    if text_column is not None:
        raise InputError(f"{path} is read line by line and has no columns", "omit --text-column")
    return _of_chunks(read_chunks(open_file(path)), path)


def iter_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yields the lines of a stream such as stdin that are not blank, as soon as they arrive.

    Raises:
        InputError: a line is not UTF-8, or longer than 16 MiB.
    """
    return _of_chunks(iter(lambda: stream.readline(2**20), b""), name)


def _of_chunks(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    number, rest, line_end = 1, b"", None
    for chunk in chunks:
        if line_end is None:
            refuse_other_unicode(name, chunk)
            line_end = line_end_of(chunk)
        *complete, rest = (rest + chunk).split(line_end)
        for line in complete:
            yield from _text_of(line, name, number)
            number += 1
        if len(rest) > LINE_LIMIT_BYTES:
            raise InputError(
                f"{at_line(name, number)}: longer than {LINE_LIMIT_BYTES // 2**20} MiB", "write one text per line"
            )
    yield from _text_of(rest, name, number)


def _text_of(line: bytes, name: str, number: int) -> Iterator[str]:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise not_utf8(name, f"{at_line(name, number)}: not UTF-8 (byte {error.start + 1:,} of the line)") from error
    if "\0" in text:
        raise InputError(f"{at_line(name, number)}: binary, with a zero byte", "name a UTF-8 text file")
    if text.strip():
        yield text


def _of_table(path: str, text_column: str | None) -> Iterator[str]:
    try:
        yield from _texts_of_rows(path, text_column)
    except BadRowError as error:
        raise InputError(error.message, "fix the row, or leave it out of the file") from error


def _texts_of_rows(path: str, text_column: str | None) -> Iterator[str]:
    column = None
    for row in iter_rows(path, named=[] if text_column is None else [text_column]):
        column = column or _column_of(path, row, text_column)
        text = row.text(column)
        if not text.strip():
            raise InputError(f"{row.where}: the text is empty", "leave the row out")
        yield text


def _column_of(path: str, row: Row, named: str | None) -> str:
    columns = [str(column) for column in row.values]
    listed = ", ".join(columns[:12])
    if named is not None:
        if named in columns:
            return named
        if named.isdecimal() and int(named) < len(columns):
            return columns[int(named)]
        raise InputError(f"{path} has no column '{named}' (it has {listed})", _NAME_IT)
    known = next((column for name in TEXT_NAMES for column in columns if column.lower() == name), None)
    if known is None and len(columns) == 1:
        return columns[0]
    if known is None:
        raise InputError(f"{path}: which column is the text? It has {listed}", _NAME_IT)
    return known

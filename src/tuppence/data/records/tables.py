"""Rows of users' files as dictionaries, each with its position in the file.

Reads .json (a list of objects), .jsonl, .csv and .tsv, also packed as .gz or .zst. The content decides the format: a
file that begins with `[` or `{` is JSON (`json_rows`), any other file has columns (`columns`, `cells`). A header line
is recognised; columns without names are called "0", "1" and so on. Lines end at line feeds, or at carriage returns in
files without line feeds.

The whole file is held in memory; `data.sources` reads corpora of any size. `labelled`, `conversations` and
`preferences` interpret the rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError, at_line
from tuppence.data.inputs import COMPRESSIONS, Source
from tuppence.data.line_ends import has_only_returns, with_line_feeds
from tuppence.data.records.cells import csv_fault, stem_of
from tuppence.data.records.columns import Columns, read_columns
from tuppence.data.records.json_rows import json_rows
from tuppence.data.records.rows import BadRow, Row
from tuppence.data.text_files import decoded_text
from tuppence.storage import open_store, split_url

TABLE_LIMIT_CHARACTERS = 2**29
"""Largest table that is read, in unpacked characters: it is held in memory."""


_JSON = re.compile(r"\{\s*[\"}]|\[\s*(?:[{\]]|$)")
"""The beginning of JSON with objects, for files without a JSON suffix: a plain text can begin with a bracket, too."""

_FASTTEXT = "__label__"

_KEYS_SAMPLE = 200  # rows whose keys give the columns of a JSON file: later rows rarely add new keys

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Table:
    """A file's rows.

    Attributes:
        path: of the file.
        columns: their names, in order of appearance.
        rows: the rows that could be read.
        skipped_rows: number of rows that could not be read, if that is allowed.
        titles: descriptions for messages of the columns that have no name of their own.
    """

    path: str
    columns: tuple[str, ...]
    rows: list[Row]
    skipped_rows: int
    titles: Mapping[str, str] = field(default_factory=dict)


def read_table(path: str, *, skip_bad_rows: bool = False, named: Collection[str] = ()) -> Table:
    """Reads a file of rows.

    Args:
        path: a local file, or a URL that `storage` supports.
        skip_bad_rows: leave out rows that cannot be read, and count them.
        named: columns that the user asked for, by their names or numbers.

    Raises:
        InputError: the file is missing, empty, too large, binary or not UTF-8; a row is bad; there is no row.
        CorruptFileError: a packed file is damaged, or a JSON list is not valid.
    """
    contents = _contents(path, _read_text(path), named)
    rows: list[Row] = []
    skipped = 0
    for found in contents.rows:
        if isinstance(found, Row):
            rows.append(found)
        elif skip_bad_rows:
            skipped += found.lines
        else:
            raise found.error
    if not rows:
        raise InputError(f"{path} holds no row that can be read", "is it the right file?")
    columns = tuple(dict.fromkeys(column for row in rows[:_KEYS_SAMPLE] for column in row.values))
    return Table(path, columns, rows, skipped, contents.titles)


def iter_rows(path: str, *, named: Collection[str] = ()) -> Iterator[Row]:
    """Yields the rows of a file. Only its text is held in memory, because the rows take ten times as much memory.

    Args:
        named: columns that the user asked for, by their names or numbers.

    Raises:
        InputError: as `read_table`, at the first bad row.
        CorruptFileError: a packed file is damaged.
    """
    for found in _contents(path, _read_text(path), named).rows:
        if not isinstance(found, Row):
            raise found.error
        yield found


def parse_rows(table: Table, parse: Callable[[Row], Parsed], *, skip_bad_rows: bool) -> tuple[list[Parsed], int]:
    """Applies `parse` to each row; returns the results and the number of skipped rows, including those of the table.

    Raises:
        InputError: a row is bad and bad rows are not skipped; or every row is bad.
    """
    parsed: list[Parsed] = []
    skipped = 0
    first_error: InputError | None = None
    for row in table.rows:
        try:
            parsed.append(parse(row))
        except InputError as error:
            if not skip_bad_rows:
                raise
            first_error = first_error or error
            skipped += 1
    if first_error is not None and not parsed:
        raise InputError(f"no row of {table.path} can be used; the first: {first_error.message}", first_error.hint)
    return parsed, skipped + table.skipped_rows


# ---- the whole file --------------------------------------------------------------------------------------------


class _Contents(NamedTuple):
    """The rows of a file, and descriptions for messages of the columns that have no name of their own."""

    rows: Iterator[Row | BadRow]
    titles: Mapping[str, str]


def open_file(path: str) -> Source:
    """Opens one file, with any suffix.

    Raises:
        InputError: there is no such file, or it is empty.
    """
    folder, name = split_url(path)
    entry = open_store(folder).describe(name) if name else None
    if entry is None:
        if path == "-":
            raise InputError(
                "rows cannot be read from stdin (-), because they are read more than once",
                "write them to a file, and name the file",
            )
        if open_store(path).is_folder():
            raise InputError(f"{path} is a folder", "name a file in it")
        raise InputError(f"{path}: there is no such file", "check the path; name one file, not a folder")
    if entry.size == 0:
        raise InputError(f"{path} is empty", "name a file that holds rows")
    compression = next((suffix for suffix in COMPRESSIONS if name.lower().endswith(suffix)), "")
    return Source(open_store(folder), entry, path, "text", compression, named=True)


def _read_text(path: str) -> str:
    parts: list[str] = []
    characters = 0
    for part in decoded_text(open_file(path), None):
        characters += len(part)
        if characters > TABLE_LIMIT_CHARACTERS:
            raise InputError(
                f"{path} has more than {TABLE_LIMIT_CHARACTERS // 2**20} million characters",
                "split it into smaller files",
            )
        parts.append(part)
    return "".join(parts)


def _contents(path: str, text: str, named: Collection[str]) -> _Contents:
    if has_only_returns(text):
        text = with_line_feeds(text)
    beginning, stem = text[:1000].lstrip(), stem_of(path)
    if beginning.startswith(_FASTTEXT):
        return _Contents(_fasttext_rows(path, text), {})
    is_json = beginning.startswith(("[", "{")) and (".json" in stem or _JSON.match(beginning) is not None)
    if is_json and not stem.endswith((".csv", ".tsv")):
        return _Contents(json_rows(path, text), {})
    columns = read_columns(path, text, named=named)
    return _Contents(_column_rows(path, columns), columns.titles)


def _column_rows(path: str, columns: Columns) -> Iterator[Row | BadRow]:
    for first, last, cells in columns.rows:
        where = at_line(path, first)
        if not isinstance(cells, list):
            yield BadRow(BadRowError(f"{where}: not valid CSV: {csv_fault(cells)}"), lines=last - first + 1)
        elif len(cells) != len(columns.names):
            message = f"{where}: {counted(len(cells), 'column')}, where the file has {len(columns.names)}"
            yield BadRow(BadRowError(message), lines=1)
        else:
            yield Row(where, dict(zip(columns.names, cells, strict=True)))


def _fasttext_rows(path: str, text: str) -> Iterator[Row | BadRow]:
    """The rows of fastText's format, "__label__spam You have WON", with the columns `label` and `text`."""
    for number, line in enumerate(text.split("\n"), start=1):
        where = at_line(path, number)
        words = line.split(maxsplit=1)
        if not words:
            continue
        label, rest = words[0], words[1] if len(words) > 1 else ""
        if not label.startswith(_FASTTEXT):
            yield BadRow(BadRowError(f"{where}: it does not begin with {_FASTTEXT}, as the first row does"), 1)
        elif rest.startswith(_FASTTEXT):
            yield BadRow(BadRowError(f"{where}: it has several labels, but only one label per text is supported"), 1)
        else:
            yield Row(where, {"label": label.removeprefix(_FASTTEXT), "text": rest.strip()})

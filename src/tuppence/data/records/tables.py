"""Rows of other people's files, as dictionaries that know where they stand.

Reads .json (a list of objects), .jsonl, .csv and .tsv, also packed as .gz or .zst; what a file is, its content says:
a `[` or `{` at its beginning is JSON, else it is columns. A first line that names the columns is recognised; columns
without names are called "0", "1" and so on. Tab-separated text is read as it is unless its quotes are quoting.

A finetune's data fits into memory, and so does what is read here; `data.sources` reads whole corpora. What the rows
mean is the business of `labelled`, `conversations` and `preferences`.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

from tuppence.core.console import counted
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data.inputs import COMPRESSIONS, Source, read_chunks
from tuppence.data.readers import decoded_text, json_kind
from tuppence.storage import open_store, split_url

TABLE_LIMIT_CHARACTERS = 2**29
"""No table larger than this is read, unpacked: it is held in memory."""

BAD_ROW_HINT = "fix the row, or pass --skip-bad-rows to leave such rows out"

KNOWN_NAMES = {
    *("text", "message", "sms", "sentence", "content", "label", "class", "target", "category", "sentiment"),
    *("instruction", "input", "output", "context", "response", "prompt", "completion", "chosen", "rejected"),
}
"""Names of columns that a first line is recognised by."""

_SAMPLE = 200  # records that delimiter and header are judged by
_QUOTES_SAMPLE = 2**20  # characters that quotes are judged by: they may be rare
_NAME = re.compile(r"[A-Za-z_][\w.-]*")

Parsed = TypeVar("Parsed")


class Row(NamedTuple):
    """One row of a file.

    Attributes:
        where: "FILE, row 12", for messages; rows of a JSON list count from 1, all others are lines of the file.
        values: its cells by column; strings in files of columns, whatever JSON holds in the others.
    """

    where: str
    values: Mapping[str, Any]

    def text(self, column: str, *, default: str | None = None) -> str:
        """The string in a column.

        Args:
            default: what an absent column, or null in it, stands for; without one that is an error.

        Raises:
            InputError: it is absent, or no text.
        """
        value = self.values.get(column)
        if value is None and default is not None:
            return default
        if column not in self.values:
            raise InputError(f"{self.where}: no '{column}' (it has {_listed(self.values)})", BAD_ROW_HINT)
        return checked_text(value, self.where, f"'{column}'")


@dataclass(frozen=True)
class Table:
    """A file's rows.

    Attributes:
        path: of the file.
        columns: their names, in order of appearance.
        rows: those that could be read.
        skipped_rows: how many could not, where that is allowed.
    """

    path: str
    columns: tuple[str, ...]
    rows: list[Row]
    skipped_rows: int


def read_table(path: str, *, skip_bad_rows: bool = False) -> Table:
    """Reads a file of rows.

    Args:
        path: a local file, or a URL that `storage` knows.
        skip_bad_rows: leave out rows that cannot be read, and count them.

    Raises:
        InputError: the file is missing, empty, too large, binary or not UTF-8; a row is bad; there is none.
        CorruptFileError: a packed file is damaged.
    """
    text = _read_text(path)
    rows: list[Row] = []
    skipped = 0
    for found in _rows(path, text):
        if isinstance(found, Row):
            rows.append(found)
        elif skip_bad_rows:
            skipped += found.lines
        else:
            raise found.error
    if not rows:
        raise InputError(f"{path} holds no row that can be read", "is it the right file?")
    columns = tuple(dict.fromkeys(column for row in rows[:_SAMPLE] for column in row.values))
    return Table(path, columns, rows, skipped)


def parse_rows(table: Table, parse: Callable[[Row], Parsed], *, skip_bad_rows: bool) -> tuple[list[Parsed], int]:
    """What `parse` makes of each row, and how many rows were left out, those of the table included.

    Raises:
        InputError: of the first bad row, unless those are skipped; or every row is bad.
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


def checked_text(value: object, where: str, what: str) -> str:
    """`value`, if it is text.

    Raises:
        InputError: it is not, or holds half a character (a lone surrogate).
    """
    if not isinstance(value, str):
        raise InputError(f"{where}: {what} is not a string but {json_kind(value)}", BAD_ROW_HINT)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: {what} is not valid Unicode ({error.reason})", BAD_ROW_HINT) from error
    return value


# ---- the whole file --------------------------------------------------------------------------------------------


class _Bad(NamedTuple):
    """A row that cannot be read, and how many lines of the file it takes."""

    error: InputError
    lines: int


def _read_text(path: str) -> str:
    folder, name = split_url(path)
    entry = open_store(folder).describe(name) if name else None
    if entry is None:
        raise InputError(f"{path}: there is no such file", "check the path; name one file, not a folder")
    if entry.size == 0:
        raise InputError(f"{path} is empty", "name a file that holds rows")
    compression = next((suffix for suffix in COMPRESSIONS if name.lower().endswith(suffix)), "")
    source = Source(open_store(folder), entry, path, "text", compression, named=True)
    if next(read_chunks(source), b"").startswith((b"PAR1", b"PK\x03\x04")):
        raise InputError(f"{path} is a parquet or Excel file", "save it as .csv or .jsonl")
    parts: list[str] = []
    characters = 0
    for part in decoded_text(source, None):
        characters += len(part)
        if characters > TABLE_LIMIT_CHARACTERS:
            raise InputError(
                f"{path} has more than {TABLE_LIMIT_CHARACTERS // 2**20} million characters",
                "cut it into smaller files",
            )
        parts.append(part)
    return "".join(parts)


def _rows(path: str, text: str) -> Iterator[Row | _Bad]:
    stem = path.lower().removesuffix(".gz").removesuffix(".zst")
    beginning = text[:1000].lstrip()
    if stem.endswith((".csv", ".tsv")) or not beginning.startswith(("[", "{")):
        return _delimited_rows(path, text, stem)
    return _json_list(path, text) if beginning.startswith("[") else _json_lines(path, text)


# ---- JSON ------------------------------------------------------------------------------------------------------


def _json_list(path: str, text: str) -> Iterator[Row | _Bad]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path} is not valid JSON: {error}", "restore the file or make it again") from error
    for number, value in enumerate(values, start=1):
        yield _object(f"{path}, row {number:,}", value)


def _json_lines(path: str, text: str) -> Iterator[Row | _Bad]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        where = f"{path}, row {number:,}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            hint = BAD_ROW_HINT
            if number == 1 and line.strip() == "{":
                hint = "write one JSON object a line, or a list of objects: [{...}, {...}]"
            yield _Bad(InputError(f"{where}: not valid JSON ({error})", hint), lines=1)
            continue
        yield _object(where, value)


def _object(where: str, value: object) -> Row | _Bad:
    if isinstance(value, dict):
        return Row(where, value)
    return _Bad(InputError(f"{where}: not a JSON object but {json_kind(value)}", BAD_ROW_HINT), lines=1)


# ---- columns ---------------------------------------------------------------------------------------------------


class _Dialect(NamedTuple):
    delimiter: str
    quoted: bool


def _delimited_rows(path: str, text: str, stem: str) -> Iterator[Row | _Bad]:
    dialect = _find_dialect(path, text, stem)
    records = _records(text, dialect)
    sample = list(islice(records, _SAMPLE))
    readable = [cells for _, cells in sample if isinstance(cells, list)]
    if not readable:
        raise InputError(f"{path} holds no row that can be read", "is it the right file?")
    if isinstance(sample[0][1], list) and _is_header(readable):
        names = _column_names(readable[0])
        del sample[0]
    else:
        names = _column_names([""] * Counter(map(len, readable)).most_common(1)[0][0])
    for (first, last), cells in chain(sample, records):
        where = f"{path}, row {first:,}"
        if isinstance(cells, csv.Error):
            yield _Bad(InputError(f"{where}: not sound CSV ({cells})", BAD_ROW_HINT), lines=last - first + 1)
        elif len(cells) != len(names):
            message = f"{where}: {counted(len(cells), 'column')}, where the file has {len(names)}"
            yield _Bad(InputError(message, BAD_ROW_HINT), lines=1)
        else:
            yield Row(where, dict(zip(names, cells, strict=True)))


def _find_dialect(path: str, text: str, stem: str) -> _Dialect:
    """The delimiter that cuts most lines of the beginning into equally many parts, and whether quotes quote."""
    candidates = "\t" if stem.endswith(".tsv") else ",;\t" if stem.endswith(".csv") else "\t,;"
    best, best_share = None, 0.0
    for delimiter in candidates:
        quoted = delimiter != "\t" or _tabs_are_quoted(text)
        sample = [cells for _, cells in islice(_records(text, _Dialect(delimiter, quoted)), _SAMPLE)]
        widths = Counter(len(cells) if isinstance(cells, list) else 0 for cells in sample)
        share = max((count for width, count in widths.items() if width > 1), default=0) / max(len(sample), 1)
        if share > best_share:
            best, best_share = _Dialect(delimiter, quoted), share
    if best is None:
        raise InputError(
            f"{path} is no table: neither JSON nor columns parted by tabs, commas or semicolons",
            "give a .json, .jsonl, .csv or .tsv file",
        )
    return best


def _tabs_are_quoted(text: str) -> bool:
    """Whether the quotes of a tab-separated file quote: some cell begins with one, and read as quotations all records
    are sound and equally wide. Else a quote is a letter like any other, as in the SMS collection."""
    beginning = text[:_QUOTES_SAMPLE]
    if not beginning.startswith('"') and not any(mark in beginning for mark in ('\t"', '\n"')):
        return False
    records = [cells for _, cells in _records(beginning, _Dialect("\t", quoted=True))]
    if len(beginning) < len(text):
        records.pop()  # it is cut anywhere
    return len({len(cells) if isinstance(cells, list) else 0 for cells in records}) == 1


def _records(text: str, dialect: _Dialect) -> Iterator[tuple[tuple[int, int], list[str] | csv.Error]]:
    """((first line, last line), cells or what is wrong with them) of every record that is not blank."""
    if not dialect.quoted:
        for number, line in enumerate(text.split("\n"), start=1):
            if line and not line.isspace():
                yield (number, number), line.removesuffix("\r").split(dialect.delimiter)
        return
    reader = csv.reader(_lines_of(text), delimiter=dialect.delimiter, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            cells: list[str] | csv.Error = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = error
        if cells:
            yield (first, reader.line_num), cells


def _lines_of(text: str) -> Iterator[str]:
    """The lines with their ends, as csv wants them; cut at line feeds alone (a text may hold U+2028)."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _is_header(records: Sequence[list[str]]) -> bool:
    """Whether the first record names the columns: words that never come again below, or one of them a name we know."""
    first = [cell.strip() for cell in records[0]]
    named = [cell for cell in first if cell]
    for column, cell in enumerate(first):
        if cell and any(column < len(row) and row[column].strip() == cell for row in records[1:]):
            return False
    if any(cell.lower() in KNOWN_NAMES for cell in named):
        return True
    return len(records) > 1 and bool(named) and len(set(named)) == len(named) and all(map(_NAME.fullmatch, named))


def _column_names(header: Sequence[str]) -> list[str]:
    """The names of a header; a column without one, or with that of another, is called by its number.

    Example:
        >>> _column_names(["label", "text", "", "text"])
        ['label', 'text', '2', '3']
    """
    names: list[str] = []
    for number, cell in enumerate(header):
        name = cell.strip()
        names.append(name if name and name not in names else str(number))
    return names


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(map(str, list(values)[:8])) or "nothing"

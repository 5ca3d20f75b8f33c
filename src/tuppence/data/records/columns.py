"""Reads columns from a .csv or .tsv file, or from a similar file without a suffix.

Finds the delimiter, whether quotes enclose cells, and whether the first line names the columns. `tables` calls
`read_columns` with the whole text.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from tuppence.core.errors import InputError

KNOWN_NAMES = {
    *("text", "message", "sms", "sentence", "content"),
    *("label", "class", "type", "target", "category", "sentiment"),
    *("instruction", "input", "output", "context", "response", "prompt", "completion", "chosen", "rejected"),
}
"""Column names that identify a header line."""

csv.field_size_limit(2**30)  # csv's default is 128 KiB; `tables` limits the size of the whole table

_SAMPLE = 200  # number of records from which delimiter and header are determined
_QUOTES_SAMPLE = 2**20  # number of characters in which quotes are searched: they can be rare
_TOLD = re.compile(r'"?sep=(?P<delimiter>[,;|\t])"?\r?', re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_][\w.-]*")
_WORDS = re.compile(r"[^\W\d][\w.-]*(?: [\w.-]+){0,3}")


class RawRow(NamedTuple):
    """One record of a file.

    Attributes:
        first, last: its lines in the file, from 1.
        cells: its cells, or the error if it cannot be parsed.
    """

    first: int
    last: int
    cells: list[str] | csv.Error


class Columns(NamedTuple):
    """A file of columns.

    Attributes:
        names: of the columns; "0", "1" and so on if the file has no header.
        records: all records except the header; the number of cells can differ from the number of names.
    """

    names: list[str]
    records: Iterator[RawRow]


class _Dialect(NamedTuple):
    delimiter: str
    quoted: bool


def read_columns(path: str, text: str, *, named: Collection[str] = ()) -> Columns:
    """The columns of a text.

    Args:
        path: of the file, for messages; a suffix .csv or .tsv says which delimiters are likely.
        text: the whole text.
        named: columns that the user asked for; a first line that contains all their names is the header. Numbers are
            ignored.

    Raises:
        InputError: it has fewer than two columns, or no readable record.

    Example:
        >>> found = read_columns("mail", "ham\\tsee you\\nspam\\tWIN\\nham\\tok\\n")
        >>> found.names, next(found.records)
        (['0', '1'], RawRow(first=1, last=1, cells=['ham', 'see you']))
    """
    told, text = _told_delimiter(text)
    records = _records(text, _find_dialect(path, text) if told is None else _Dialect(told, _are_quoted(text, told)))
    sample = list(islice(records, _SAMPLE))
    if not sample:
        raise InputError(f"{path} holds no row behind its first line", "is it the right file?")
    readable = [record.cells for record in sample if isinstance(record.cells, list)]
    if isinstance(sample[0].cells, list) and _is_header(readable, named):
        return Columns(_column_names(readable[0]), chain(sample[1:], records))
    width = Counter(map(len, readable)).most_common(1)[0][0]
    return Columns(_column_names([""] * width), chain(sample, records))


def _find_dialect(path: str, text: str) -> _Dialect:
    """The delimiter that gives the most sampled lines the same number of cells, and whether quotes enclose cells."""
    stem = stem_of(path)
    candidates = "\t" if stem.endswith(".tsv") else ",;\t" if stem.endswith(".csv") else "\t,;"
    best, best_share = None, 0.0
    for delimiter in candidates:
        quoted = _are_quoted(text, delimiter)
        sample = [record.cells for record in islice(_records(text, _Dialect(delimiter, quoted)), _SAMPLE)]
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


def _told_delimiter(text: str) -> tuple[str | None, str]:
    """The delimiter in Excel's first line "sep=;", and the text with that line blank, so that line numbers stay valid.

    Example:
        >>> _told_delimiter("sep=;\\na;b\\n"), _told_delimiter("a;b\\n")
        ((';', '\\na;b\\n'), (None, 'a;b\\n'))
    """
    line = text[:20].partition("\n")[0]
    found = _TOLD.fullmatch(line)
    return (None, text) if found is None else (found["delimiter"], text[len(line) :])


def _are_quoted(text: str, delimiter: str) -> bool:
    return delimiter != "\t" or _tabs_are_quoted(text)


def _tabs_are_quoted(text: str) -> bool:
    """Whether the quotes of a tab-separated file enclose cells: some cell begins with a quote, and with quoting all
    records are valid and have the same number of cells. Otherwise a quote is a plain character, as in the SMS
    collection."""
    beginning = text[:_QUOTES_SAMPLE]
    if not beginning.startswith('"') and not any(mark in beginning for mark in ('\t"', '\n"')):
        return False
    records = [record.cells for record in _records(beginning, _Dialect("\t", quoted=True))]
    if len(beginning) < len(text):
        records.pop()  # the last record is incomplete
    return len({len(cells) if isinstance(cells, list) else 0 for cells in records}) == 1


def _records(text: str, dialect: _Dialect) -> Iterator[RawRow]:
    """Every record that is not blank."""
    if not dialect.quoted:
        for number, line in enumerate(text.split("\n"), start=1):
            if line and not line.isspace():
                yield RawRow(number, number, line.removesuffix("\r").split(dialect.delimiter))
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
            yield RawRow(first, reader.line_num, cells)


def _lines_of(text: str) -> Iterator[str]:
    """The lines with their line ends, as csv requires; split only at line feeds, because a text can contain U+2028."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _is_header(records: Sequence[list[str]], asked: Collection[str]) -> bool:
    """Whether the first record names the columns.

    It does if it contains all requested names, two known names, or one known name that is not repeated below in its
    column. Otherwise it does if none of its cells is repeated below and all of them look like names.
    """
    first = [cell.strip() for cell in records[0]]
    named = [cell for cell in first if cell]
    asked_names = {name for name in asked if not name.isdecimal()}
    if asked_names and asked_names <= set(named):
        return True
    columns = [[row[column].strip() for row in records[1:] if column < len(row)] for column in range(len(first))]
    again = [cell in below for cell, below in zip(first, columns, strict=True) if cell]
    known = [cell.lower() in KNOWN_NAMES for cell in named]
    if sum(known) > 1 or any(name and not comes for name, comes in zip(known, again, strict=True)):
        return True
    if len(records) < 2 or not named or any(again) or len(set(named)) < len(named):
        return False
    return all(map(_WORD.fullmatch, named)) or (all(map(_WORDS.fullmatch, named)) and any(map(_holds_labels, columns)))


def _holds_labels(cells: Sequence[str]) -> bool:
    """Whether every value of a column occurs more than once, as labels do: a header cell would occur once."""
    counts = Counter(cells)
    return len(cells) >= 5 and min(counts.values()) > 1


def _column_names(header: Sequence[str]) -> list[str]:
    """The names in a header; a column without a name, or with a repeated name, is named by its number.

    Example:
        >>> _column_names(["label", "text", "", "text"])
        ['label', 'text', '2', '3']
    """
    names: list[str] = []
    for number, cell in enumerate(header):
        name = cell.strip()
        names.append(name if name and name not in names else str(number))
    return names


def stem_of(path: str) -> str:
    """A path in lower case, without the suffix of its compression.

    Example:
        >>> stem_of("Mail.CSV.gz")
        'mail.csv'
    """
    return path.lower().removesuffix(".gz").removesuffix(".zst")

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

USUAL_NAMES = {
    *("text", "message", "sms", "sentence", "content"),
    *("label", "class", "type", "target", "category", "sentiment"),
    *("instruction", "input", "output", "context", "response", "prompt", "completion", "chosen", "rejected"),
}
"""Names of columns that identify a header, in lower case."""

csv.field_size_limit(2**30)  # csv's default is 128 KiB; `tables` limits the size of the whole table

_SAMPLE = 200  # number of rows from which delimiter and header are determined
_QUOTES_SAMPLE = 2**20  # number of characters that are searched for quotes: they can be rare
_SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[,;|\t])"?\r?', re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_][\w.-]*")
_WORDS = re.compile(r"[^\W\d][\w.-]*(?: [\w.-]+){0,3}")


class RawRow(NamedTuple):
    """One row of a file, before its cells have names.

    Attributes:
        first, last: its first and last line in the file, from 1.
        cells: its cells, or the error if it cannot be parsed.
    """

    first: int
    last: int
    cells: list[str] | csv.Error


class Columns(NamedTuple):
    """A file of columns.

    Attributes:
        names: of the columns; "0", "1" and so on if the file has no header.
        rows: all rows except the header; the number of cells can differ from the number of names.
    """

    names: list[str]
    rows: Iterator[RawRow]


class _Dialect(NamedTuple):
    delimiter: str
    quoted: bool


def read_columns(path: str, text: str, *, named: Collection[str] = ()) -> Columns:
    """The columns of a text.

    Args:
        path: of the file, for messages; a suffix .csv or .tsv says which delimiters are likely.
        text: the whole text.
        named: columns that the user asked for; a first line that contains one of their names is the header. Numbers
            are ignored.

    Raises:
        InputError: it has fewer than two columns, or no readable row.

    Example:
        >>> found = read_columns("mail", "ham\\tsee you\\nspam\\tWIN\\nham\\tok\\n")
        >>> found.names, next(found.rows)
        (['0', '1'], RawRow(first=1, last=1, cells=['ham', 'see you']))
    """
    given, text = _given_delimiter(text)
    rows = _rows(text, _find_dialect(path, text) if given is None else _Dialect(given, _are_quoted(text, given)))
    sample = list(islice(rows, _SAMPLE))
    readable = [row.cells for row in sample if isinstance(row.cells, list)]
    if not readable:
        raise InputError(f"{path} holds no row that can be read", "is it the right file?")
    if isinstance(sample[0].cells, list) and _is_header(readable, named):
        return Columns(_column_names(readable[0]), chain(sample[1:], rows))
    width = Counter(map(len, readable)).most_common(1)[0][0]
    return Columns(_column_names([""] * width), chain(sample, rows))


def _find_dialect(path: str, text: str) -> _Dialect:
    """The delimiter that gives the most sampled lines the same number of cells, and whether quotes enclose cells."""
    stem = stem_of(path)
    candidates = "\t" if stem.endswith(".tsv") else ",;\t" if stem.endswith(".csv") else "\t,;"
    best, best_share = None, 0.0
    for delimiter in candidates:
        quoted = _are_quoted(text, delimiter)
        sample = [row.cells for row in islice(_rows(text, _Dialect(delimiter, quoted)), _SAMPLE)]
        widths = Counter(len(cells) if isinstance(cells, list) else 0 for cells in sample)
        share = max((count for width, count in widths.items() if width > 1), default=0) / max(len(sample), 1)
        if share > best_share:
            best, best_share = _Dialect(delimiter, quoted), share
    if best is None:
        raise InputError(
            f"{path} is no table: neither JSON nor columns separated by tabs, commas or semicolons",
            "give a .json, .jsonl, .csv or .tsv file",
        )
    return best


def _given_delimiter(text: str) -> tuple[str | None, str]:
    """The delimiter in Excel's first line "sep=;", and the text with that line blank, so that line numbers stay valid.

    Example:
        >>> _given_delimiter("sep=;\\na;b\\n"), _given_delimiter("a;b\\n")
        ((';', '\\na;b\\n'), (None, 'a;b\\n'))
    """
    line = text[:20].partition("\n")[0]
    found = _SEP_LINE.fullmatch(line)
    return (None, text) if found is None else (found["delimiter"], text[len(line) :])


def _are_quoted(text: str, delimiter: str) -> bool:
    return delimiter != "\t" or _tabs_are_quoted(text)


def _tabs_are_quoted(text: str) -> bool:
    """Whether the quotes of a tab-separated file enclose cells: some cell begins with a quote, and with quoting all
    rows are valid and have the same number of cells. Otherwise a quote is a plain character, as in the SMS
    collection."""
    beginning = text[:_QUOTES_SAMPLE]
    if not beginning.startswith('"') and not any(mark in beginning for mark in ('\t"', '\n"')):
        return False
    rows = [row.cells for row in _rows(beginning, _Dialect("\t", quoted=True))]
    if len(beginning) < len(text):
        rows.pop()  # the last row is incomplete
    return len({len(cells) if isinstance(cells, list) else 0 for cells in rows}) == 1


def _rows(text: str, dialect: _Dialect) -> Iterator[RawRow]:
    """Every row that is not blank."""
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


def _is_header(rows: Sequence[list[str]], asked: Collection[str]) -> bool:
    """Whether the first row names the columns.

    It does if it contains a name that was asked for, two usual names, or one usual name that does not occur again in
    its column. Otherwise it does if its cells are distinct names that do not occur again in their columns: single
    words, or up to four words each in a file with a column of labels.
    """
    below = [[row[column].strip() for row in rows[1:] if column < len(row)] for column in range(len(rows[0]))]
    named = [(cell.strip(), cells) for cell, cells in zip(rows[0], below, strict=True) if cell.strip()]
    usual_again = [name in cells for name, cells in named if name.lower() in USUAL_NAMES]
    if any(name in asked and not name.isdecimal() for name, _ in named) or len(usual_again) > 1 or False in usual_again:
        return True
    names = {name for name, cells in named if name not in cells}
    if len(rows) < 2 or not names or len(names) < len(named):
        return False
    return all(map(_WORD.fullmatch, names)) or (all(map(_WORDS.fullmatch, names)) and any(map(_are_labels, below)))


def _are_labels(cells: Sequence[str]) -> bool:
    """Whether every value of a column occurs more than once, as labels do: a header cell would occur once."""
    return len(cells) >= 5 and min(Counter(cells).values()) > 1


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

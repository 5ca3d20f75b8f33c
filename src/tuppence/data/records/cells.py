"""Cuts the text of a .csv or .tsv file, or of a similar file without a suffix, into rows of cells.

Finds the delimiter, the line ends, and whether quotes enclose cells. `columns` finds the names of the columns.
"""

from __future__ import annotations

import csv
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import at_line
from tuppence.data.line_ends import with_line_feeds

csv.field_size_limit(2**30)  # csv's default is 128 KiB; `tables` limits the size of the whole table

SAMPLE = 200
"""Number of rows from which delimiter and header are determined."""

_DELIMITERS = ",;\t|"
_QUOTES_SAMPLE = 2**20  # number of characters that are searched for quotes: they can be rare
_SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[^\w\s"]|\t)"?\r?', re.IGNORECASE)
_RETURN = re.compile(r"\r(?!\n)")
_FAULTS = {
    "new-line character seen": "a carriage return outside quotes",
    "unexpected end of data": "a quote that is never closed",
    "expected after": "a quote inside a cell in quotes that is not doubled",
}
"""csv's messages, by a part of them, and what they mean."""


class RawRow(NamedTuple):
    """One row of a file, before its cells have names.

    Attributes:
        first, last: its first and last line in the file, from 1.
        cells: its cells, or the error if it cannot be parsed.
    """

    first: int
    last: int
    cells: list[str] | csv.Error


class Cells(NamedTuple):
    """A text that can be cut into cells.

    Attributes:
        text: the whole text, with line feeds at the ends of its rows.
        delimiter: separates the cells of a row.
        quoted: whether quotes enclose cells; otherwise they are plain characters.
    """

    text: str
    delimiter: str
    quoted: bool

    def rows(self) -> Iterator[RawRow]:
        """Every row that is not blank."""
        if not self.quoted:
            for number, line in enumerate(self.text.split("\n"), start=1):
                if line and not line.isspace():
                    yield RawRow(number, number, line.removesuffix("\r").split(self.delimiter))
            return
        reader = csv.reader(_lines_of(self.text), delimiter=self.delimiter, strict=True)
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


def find_cells(path: str, text: str) -> Cells | None:
    """The way to cut a text into rows of cells; None if no delimiter cuts a row in two.

    Excel's first line "sep=;" decides the delimiter. Otherwise it is the usual delimiter (for .tsv the tab, for .csv
    and unknown suffixes also comma and semicolon) that gives the most sampled rows the same number of cells. If that is
    at most half of the rows, another delimiter is taken if it alone gives all rows the same number, and then carriage
    returns are taken as line ends if all rows have the same number with them.

    Args:
        path: of the file; its suffix says which delimiters are usual.
        text: the whole text.
    """
    best, share = _best_cells(path, text)
    if share > 0.5 or not _RETURN.search(text):
        return best
    other, other_share = _best_cells(path, with_line_feeds(text))  # old Excel: line feeds only inside cells
    return other if other_share == 1 else best


def single_column(path: str, text: str) -> Cells | None:
    """The way to read a .csv or .tsv file of one column; None for other files, and if a row is not valid."""
    if not stem_of(path).endswith((".csv", ".tsv")):
        return None
    cells = _cells(with_line_feeds(text), "\t" if stem_of(path).endswith(".tsv") else ",")
    valid = all(isinstance(row.cells, list) and len(row.cells) == 1 for row in islice(cells.rows(), SAMPLE))
    return cells if valid else None


def no_columns(path: str, text: str) -> InputError:
    """The error for a text that is not cut into columns by any delimiter."""
    if ".json" in stem_of(path):
        return InputError(
            f"{path} is not JSON: it begins with {text.lstrip()[:20]!r}",
            "write one JSON object per line, or a list of objects",
        )
    if not stem_of(path).endswith((".csv", ".tsv")):
        return InputError(
            f"{path} is no table: neither JSON nor columns separated by tabs, commas, semicolons or |",
            "give a .json, .jsonl, .csv or .tsv file",
        )
    for row in islice(Cells(text, ",", quoted=True).rows(), SAMPLE):
        if isinstance(row.cells, csv.Error):
            fault = csv_fault(row.cells)
            if "carriage" in fault:
                hint = f"end the lines with line feeds: tr '\\r' '\\n' < {shlex.quote(path)} > new.csv"
            else:
                hint = 'write a cell with quotes as "a ""quoted"" word"'
            return InputError(f"{at_line(path, row.first)}: not valid CSV: {fault}", hint)
    return InputError(
        f"{path} is no table: no tab, comma, semicolon or | cuts its lines into columns",
        "if another character separates the columns, name it in a first line, for example sep=:",
    )


def csv_fault(error: csv.Error) -> str:
    """What is wrong with a row.

    Example:
        >>> csv_fault(csv.Error("unexpected end of data"))
        'a quote that is never closed'
    """
    return next((meaning for part, meaning in _FAULTS.items() if part in str(error)), str(error))


def stem_of(path: str) -> str:
    """A path in lower case, without the suffix of its compression.

    Example:
        >>> stem_of("Mail.CSV.gz")
        'mail.csv'
    """
    return path.lower().removesuffix(".gz").removesuffix(".zst")


def _best_cells(path: str, text: str) -> tuple[Cells | None, float]:
    """Returns (the best way to cut a text, the share of the sampled rows with the same number of cells)."""
    given, text = _given_delimiter(text)
    if given is not None:
        return _cells(text, given), 1.0
    stem = stem_of(path)
    usual = "\t" if stem.endswith(".tsv") else ",;\t" if stem.endswith(".csv") else "\t,;"
    best, best_share = None, 0.0
    for delimiter in usual:
        cells = _cells(text, delimiter)
        share = _share(list(islice(cells.rows(), SAMPLE)))
        if share > best_share:
            best, best_share = cells, share
    if best_share <= 0.5:
        others = [_cells(text, delimiter) for delimiter in _DELIMITERS if delimiter not in usual]
        perfect = [cells for cells in others if _is_perfect(list(islice(cells.rows(), SAMPLE)))]
        if len(perfect) == 1:
            return perfect[0], 1.0
    return best, best_share


def _share(rows: list[RawRow]) -> float:
    """The share of the rows that have the most frequent number of cells, of two or more."""
    widths = Counter(len(row.cells) if isinstance(row.cells, list) else 0 for row in rows)
    return max((count for width, count in widths.items() if width > 1), default=0) / max(len(rows), 1)


def _is_perfect(rows: list[RawRow]) -> bool:
    """Whether two or more rows all have the same number of cells. A first cell that is always empty is the border of a
    Markdown table, and no cell."""
    return len(rows) > 1 and _share(rows) == 1 and any(row.cells[0] for row in rows if isinstance(row.cells, list))


def _given_delimiter(text: str) -> tuple[str | None, str]:
    """The delimiter in Excel's first line "sep=;", and the text with that line blank, so that line numbers stay valid.

    Example:
        >>> _given_delimiter("sep=;\\na;b\\n"), _given_delimiter("a;b\\n")
        ((';', '\\na;b\\n'), (None, 'a;b\\n'))
    """
    line = text[:20].partition("\n")[0]
    found = _SEP_LINE.fullmatch(line)
    return (None, text) if found is None else (found["delimiter"], text[len(line) :])


def _cells(text: str, delimiter: str) -> Cells:
    return Cells(text, delimiter, quoted=delimiter != "\t" or _tabs_are_quoted(text))


def _tabs_are_quoted(text: str) -> bool:
    """Whether the quotes of a tab-separated file enclose cells: some cell begins with a quote, and with quoting all
    rows are valid and have the same number of cells. Otherwise a quote is a plain character, as in the SMS
    collection."""
    beginning = text[:_QUOTES_SAMPLE]
    if not beginning.startswith('"') and not any(mark in beginning for mark in ('\t"', '\n"')):
        return False
    rows = [row.cells for row in Cells(beginning, "\t", quoted=True).rows()]
    if len(beginning) < len(text):
        rows.pop()  # the last row is incomplete
    return len({len(cells) if isinstance(cells, list) else 0 for cells in rows}) == 1


def _lines_of(text: str) -> Iterator[str]:
    """The lines with their line ends, as csv requires; split only at line feeds, because a text can contain U+2028."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end

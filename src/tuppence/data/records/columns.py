"""The columns of a .csv or .tsv file, or of a similar file without a suffix, with their names.

Finds whether the first line names the columns. `cells` cuts the text into cells, and `tables` calls `read_columns` with
the whole text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

from tuppence.core.errors import InputError
from tuppence.data.records.cells import SAMPLE, Cells, RawRow, find_cells, no_columns, single_column

USUAL_NAMES = {
    *("text", "message", "sms", "sentence", "content"),
    *("label", "class", "type", "target", "category", "sentiment"),
    *("instruction", "input", "output", "context", "response", "prompt", "completion", "chosen", "rejected"),
}
"""Names of columns that identify a header, in lower case."""

_WORD = re.compile(r"[A-Za-z_][\w.-]*")
_WORDS = re.compile(r"[^\W\d][\w.-]*(?: [\w.-]+){0,3}")


class Columns(NamedTuple):
    """A file of columns.

    Attributes:
        names: of the columns; "0", "1" and so on if the file has no header.
        titles: descriptions for messages of the columns whose name in the header is missing or repeated.
        rows: all rows except the header; the number of cells can differ from the number of names.
    """

    names: list[str]
    titles: Mapping[str, str]
    rows: Iterator[RawRow]


def read_columns(path: str, text: str, *, named: Collection[str] = ()) -> Columns:
    """The columns of a text.

    Args:
        path: of the file, for messages; a suffix .csv or .tsv says which delimiters are likely.
        text: the whole text.
        named: columns that the user asked for; a first line that contains one of their names is the header. Numbers
            are ignored.

    Raises:
        InputError: no delimiter cuts it into columns, and it is not a .csv or .tsv file of one column with a name; or
            it has no readable row.

    Example:
        >>> found = read_columns("mail", "ham\\tsee you\\nspam\\tWIN\\nham\\tok\\n")
        >>> found.names, next(found.rows)
        (['0', '1'], RawRow(first=1, last=1, cells=['ham', 'see you']))
    """
    cells = find_cells(path, text) or _named_column(path, text, named)
    if cells is None:
        raise no_columns(path, text)
    rows = cells.rows()
    sample = list(islice(rows, SAMPLE))
    readable = [row.cells for row in sample if isinstance(row.cells, list)]
    if not readable:
        raise InputError(f"{path} holds no row that can be read", "is it the right file?")
    if isinstance(sample[0].cells, list) and _is_header(readable, named):
        names, titles = _column_names(readable[0])
        return Columns(names, titles, chain(sample[1:], rows))
    width = Counter(map(len, readable)).most_common(1)[0][0]
    return Columns([str(number) for number in range(width)], {}, chain(sample, rows))


def _named_column(path: str, text: str, named: Collection[str]) -> Cells | None:
    """A file of one column, if its first line names the column."""
    cells = single_column(path, text)
    first = next(cells.rows(), None) if cells is not None else None
    name = first.cells[0].strip() if first is not None and isinstance(first.cells, list) else ""
    return cells if name.lower() in USUAL_NAMES or (name in named and not name.isdecimal()) else None


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


def _column_names(header: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Returns (the names in a header, the titles of the columns that are named by their number).

    A column without a name, or with a repeated name, is named by its number from 0.

    Example:
        >>> names, titles = _column_names(["label", "text", "", "text"])
        >>> names, titles["2"], titles["3"]
        (['label', 'text', '2', '3'], '3rd column (no name)', '2nd column named "text"')
    """
    names: list[str] = []
    titles: dict[str, str] = {}
    cells = [cell.strip() for cell in header]
    for number, name in enumerate(cells):
        if name and name not in names:
            names.append(name)
            continue
        new = str(number) if str(number) not in cells else f"#{number}"
        repeat = cells[: number + 1].count(name)
        titles[new] = (
            f'{_ordinal(repeat)} column named "{name}"' if name else f"{_ordinal(number + 1)} column (no name)"
        )
        names.append(new)
    return names, titles


def _ordinal(number: int) -> str:
    """Example:
    >>> [_ordinal(number) for number in (1, 2, 11, 23)]
    ['1st', '2nd', '11th', '23rd']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"

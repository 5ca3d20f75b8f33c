"""Labelled text: the training rows of a classifier.

Finds the columns, or takes the named ones. Every label is converted to a string with one canonical spelling: "True" in
a CSV file equals `true` in JSON, and 1.0 equals 1 (`canonical_label`). `splits` splits the rows into training,
validation and test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError, checked_text
from tuppence.data.records.row_weights import find_row_weights, trained_rows
from tuppence.data.records.rows import Row
from tuppence.data.records.tables import Table, parse_rows, read_table
from tuppence.data.records.unused import Unused, find_unused

TEXT_NAMES = ("text", "message", "sms", "sentence", "content", "review", "comment", "body", "tweet", "v2")
LABEL_NAMES = ("label", "class", "target", "category", "sentiment", "intent", "topic", "labels", "v1")
MOST_CLASSES = 1000
_WHOLE = re.compile(r"-?\d{1,15}\.0+", re.ASCII)
_NAME_THEM = "name them with --text-column and --label-column (a name, or a number from 0)"


@dataclass(frozen=True)
class LabelledText:
    """A text and its label."""

    text: str
    label: str


@dataclass(frozen=True)
class LabelledSet:
    """The labelled texts of a file.

    Attributes:
        rows: in the order of the file.
        skipped_rows: number of bad rows that were left out, if that is allowed.
        text_column, label_column: the columns of text and label; a number from 0 in files without names.
        untrained_rows: number of rows that were left out because the file excludes them from training.
        unused: what was not used of the file.
    """

    rows: list[LabelledText]
    skipped_rows: int
    text_column: str
    label_column: str
    untrained_rows: int = 0
    unused: Unused = field(default_factory=lambda: Unused({}))

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels in order: numbers by value, others alphabetically."""
        return sorted_labels({row.label for row in self.rows})


def read_labelled(
    path: str | Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    skip_bad_rows: bool = False,
    trained_only: bool = False,
) -> LabelledSet:
    """Reads labelled text from TSV, CSV, JSON or JSON lines.

    Columns that are not given are found by their usual names. Otherwise, in a file of two columns, the column with
    fewer different values is the label.

    Args:
        trained_only: leave out the rows that the file excludes from training.

    Raises:
        InputError: the file cannot be read; a column is missing or cannot be determined; a row has no text or no label
            (unless skipped); there are too many different labels.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "mail"
        >>> _ = file.write_text("ham\\tSee you at noon\\nspam\\tYou have WON\\nham\\tOn my way\\n")
        >>> found = read_labelled(str(file))
        >>> found.rows[1], found.label_column
        (LabelledText(text='You have WON', label='spam'), '0')
    """
    named = [column for column in (text_column, label_column) if column is not None]
    table = read_table(str(path), skip_bad_rows=skip_bad_rows, named=named)
    text_column, label_column = _find_columns(table, text_column, label_column)
    used = {text_column, label_column}
    weights = find_row_weights(table, used) if trained_only else frozenset()
    kept = trained_rows(str(path), table.rows, weights)

    def parse(row: Row) -> LabelledText:
        text = row.text(text_column)
        if not text.strip():
            raise BadRowError(f"{row.where}: the text is empty")
        return LabelledText(text, _label(row, label_column))

    rows, skipped = parse_rows(replace(table, rows=kept), parse, skip_bad_rows=skip_bad_rows)
    unused = find_unused(table, used, weights)
    found = LabelledSet(rows, skipped, text_column, label_column, len(table.rows) - len(kept), unused)
    if len(found.labels) > MOST_CLASSES:
        raise InputError(
            f"{path}: '{label_column}' has {len(found.labels):,} different values, more than {MOST_CLASSES:,}",
            f"is it the label? {_NAME_THEM}",
        )
    return found


def sorted_labels(labels: set[str]) -> tuple[str, ...]:
    """Labels in the order of their ids: by value if all are whole numbers, otherwise alphabetically.

    Example:
        >>> sorted_labels({"10", "9"}), sorted_labels({"spam", "ham"})
        (('9', '10'), ('ham', 'spam'))
    """
    if all(len(label) < 20 and label.removeprefix("-").isdecimal() for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def canonical_label(label: str) -> str:
    """The canonical spelling of a label: JSON's spelling for truth values, and whole numbers without ".0".

    Example:
        >>> [canonical_label(label) for label in ("True", "FALSE", "1.0", "-2.00", "2.5", "Spam")]
        ['true', 'false', '1', '-2', '2.5', 'Spam']
    """
    if label.casefold() in ("true", "false"):
        return label.casefold()
    return label.partition(".")[0] if _WHOLE.fullmatch(label) else label


def alike_labels(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Labels that differ only in case and white space: probably one label in several spellings.

    Example:
        >>> alike_labels(["ham", "spam", "Ham"])
        [('Ham', 'ham')]
    """
    spellings: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        spellings.setdefault(" ".join(label.split()).casefold(), []).append(label)
    return [tuple(found) for found in spellings.values() if len(found) > 1]


def find_label(label: str, labels: Sequence[str]) -> int | None:
    """The index of a label in the labels of a model; None if it has no such label.

    A label in another spelling (`True` for `true`) is found, too, if only one label of the model matches.
    """
    if label in labels:
        return labels.index(label)
    canonical = [canonical_label(one) for one in labels]
    wanted = canonical_label(label)
    return canonical.index(wanted) if canonical.count(wanted) == 1 else None


def _label(row: Row, column: str) -> str:
    """The label of a row; in JSON it can be a number or a truth value. NaN counts as missing."""
    value = row.values.get(column)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None if value != value else value
    if isinstance(value, int | float):
        return str(value)
    label = "" if value is None else checked_text(value, row.where, f"'{column}'").strip()
    if not label:
        raise BadRowError(f"{row.where}: it has no label in '{column}'")
    return canonical_label(label)


def _find_columns(table: Table, text_column: str | None, label_column: str | None) -> tuple[str, str]:
    text = None if text_column is None else _named(table, text_column)
    label = None if label_column is None else _named(table, label_column)
    text = text or _known(table, TEXT_NAMES, taken=label)
    label = label or _known(table, LABEL_NAMES, taken=text)
    if len(table.columns) == 2:
        if text is None and label is None:
            text, label = _by_content(table)
        first, second = table.columns
        text = text or (second if label == first else first)
        label = label or (second if text == first else first)
    if text is None or label is None or text == label:
        missing = "text" if text is None else "label"
        raise InputError(
            f"{table.path}: which column is the {missing}? It has {', '.join(table.columns[:12])}", _NAME_THEM
        )
    return text, label


def _named(table: Table, column: str) -> str:
    """The column that the user gave by its name, or by its number from 0."""
    if column in table.columns:
        return column
    if column in (numbers := [str(number) for number in range(len(table.columns))]):
        return table.columns[numbers.index(column)]
    raise InputError(f"{table.path} has no column '{column}' (it has {', '.join(table.columns[:12])})", _NAME_THEM)


def _known(table: Table, names: Sequence[str], taken: str | None) -> str | None:
    """The column that matches the earliest possible entry of `names`."""
    by_name: Mapping[str, str] = {column.lower(): column for column in reversed(table.columns) if column != taken}
    return next((by_name[name] for name in names if name in by_name), None)


def _by_content(table: Table) -> tuple[str, str]:
    """Returns (text, label) for two columns without names: labels have fewer different values."""
    first, second = table.columns
    different = [len({str(row.values.get(column)) for row in table.rows}) for column in (first, second)]
    if different[0] == different[1]:
        raise InputError(
            f"{table.path}: which of its two columns is the label? Both have {different[0]:,} different values",
            _NAME_THEM,
        )
    return (second, first) if different[0] < different[1] else (first, second)

"""Rows that a file excludes from training: `weight` is 0, or `train`, `training` or `loss` is false.

For the readers of training rows. Rows of validation and evaluation files are used whatever these columns say. The same
keys of one message are read by `messages`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tuppence.core.errors import InputError
from tuppence.data.records.rows import Row
from tuppence.data.records.tables import Table
from tuppence.data.weights import WEIGHT_NAMES

_TRUTH_VALUES = {"false": 0.0, "true": 1.0}


def find_row_weights(table: Table, used: Collection[str]) -> frozenset[str]:
    """The columns that say which rows are trained.

    `train` and `training`, if all values are true, false, 0 or 1; `loss`, if all are true or false, because numbers can
    be losses; `weight`, if all are numbers from 0, and either some are 1, or some are 0 and all less than 1. Any other
    column of these names is data.

    Args:
        used: columns that the rows are read from.

    Example:
        >>> rows = [Row("f", {"text": "a", "weight": 0}), Row("f", {"text": "b", "weight": 1})]
        >>> find_row_weights(Table("f", ("text", "weight"), rows, 0), {"text"})
        frozenset({'weight'})
    """
    found = set()
    for column in set(WEIGHT_NAMES) - set(used):
        cells = {str(row.values[column]) for row in table.rows if not _is_absent(row, column)}
        if column == "loss" and not {cell.strip().casefold() for cell in cells} <= _TRUTH_VALUES.keys():
            continue
        weights = {_number(cell) for cell in cells}
        numbers = {weight for weight in weights if weight is not None}
        if not numbers or None in weights or min(numbers) < 0:
            continue
        if numbers <= {0, 1} or (column == "weight" and (1 in numbers or (0 in numbers and max(numbers) < 1))):
            found.add(column)
    return frozenset(found)


def trained_rows(path: str, rows: Iterable[Row], columns: Collection[str]) -> list[Row]:
    """The rows that none of the columns excludes.

    Raises:
        InputError: every row is excluded.
    """
    kept = [row for row in rows if not any(weight_of(row, column) == 0 for column in columns)]
    if columns and not kept:
        raise InputError(
            f"{path}: every row has {excluded_by(columns)}: no row is left for training",
            f"name a file with other rows, or remove the column {' or '.join(sorted(columns))}",
        )
    return kept


def excluded_by(columns: Iterable[str]) -> str:
    """The values that exclude rows from training, for messages.

    Example:
        >>> excluded_by(["weight", "train"])
        'train false or weight 0'
    """
    return " or ".join(f"{column} {0 if column == 'weight' else 'false'}" for column in sorted(columns))


def weight_of(row: Row, column: str) -> float | None:
    """The weight of a row in a column; None if there is none.

    Example:
        >>> weight_of(Row("f", {"train": "False"}), "train"), weight_of(Row("f", {"weight": 0.5}), "weight")
        (0.0, 0.5)
    """
    return None if _is_absent(row, column) else _number(str(row.values[column]))


def _is_absent(row: Row, column: str) -> bool:
    return row.values.get(column) in (None, "")


def _number(cell: str) -> float | None:
    """A number or truth value; None if it is something else, or NaN."""
    try:
        number = _TRUTH_VALUES.get(cell.strip().casefold())
        number = float(cell) if number is None else number
    except ValueError:
        return None
    return None if number != number else number

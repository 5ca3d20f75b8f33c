"""The position of a row in messages, the error for a row that cannot be used, and the check of a text in a row.

For all readers of rows: of documents (`jsonl_files`, `parquet_files`) and of `records`.
"""

from __future__ import annotations

import json
from pathlib import Path

from tuppence.core.console import counted, warn
from tuppence.core.errors import InputError

SKIP_HINT = "pass --skip-bad-rows to leave such rows out"
ROW_HINT = f"fix the row, or {SKIP_HINT}"


def at_line(path: str, line: int) -> str:
    """The position of a row in a file of lines (.csv, .tsv, .jsonl, fastText), for messages.

    Args:
        line: the first line of the row, from 1, as an editor shows it.

    Example:
        >>> at_line("mail.csv", 1200)
        'mail.csv, line 1,200'
    """
    return f"{path}, line {line:,}"


def at_row(path: str, row: int) -> str:
    """The position of a row in a file without lines of its own (.parquet, a JSON list), for messages.

    Args:
        row: the number of the row, from 1.

    Example:
        >>> at_row("mail.parquet", 12)
        'mail.parquet, row 12'
    """
    return f"{path}, row {row:,}"


def json_fault(error: ValueError | RecursionError) -> str:
    """What is wrong with the JSON of one line, without json's own line number, which is 1 for every line of a file.

    Example:
        >>> try:
        ...     json.loads('{"text": ')
        ... except ValueError as error:
        ...     json_fault(error)
        'Expecting value at column 10'
    """
    return f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)


class BadRowError(InputError):
    """A row of a file cannot be used; `--skip-bad-rows` leaves such rows out."""

    def __init__(self, message: str, hint: str = ROW_HINT) -> None:
        super().__init__(message, hint)


def checked_text(value: object, where: str, what: str) -> str:
    """Returns `value` if it is valid text.

    Args:
        where: file and line or row, for messages.
        what: the name of the text, for messages.

    Raises:
        BadRowError: it is not a string, or contains half a character (a lone surrogate).
    """
    if not isinstance(value, str):
        raise BadRowError(f"{where}: {what} is not a string but {json_kind(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:  # "\ud800" in JSON: half of a character
            raise BadRowError(f"{where}: {what} is not valid Unicode ({error.reason})") from error
    return value


def warn_of_skipped(path: str | Path, skipped_rows: int) -> None:
    """Warns of the number of bad rows of a file that `--skip-bad-rows` left out."""
    if skipped_rows:
        warn(f"skipped {counted(skipped_rows, 'bad row')} of {path}")


def json_kind(value: object) -> str:
    """The type of a value in JSON's words, for messages: a person knows the file, not Python's types.

    Example:
        >>> json_kind({}), json_kind(1.5), json_kind(None)
        ('an object', 'a number', 'null')
    """
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)

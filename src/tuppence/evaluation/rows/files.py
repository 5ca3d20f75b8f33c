"""Finds and reads the file of rows of an evaluation task.

Reads the formats of `data.records.tables` (.jsonl, .json, .csv, .tsv, packed or not), and .parquet, which the Hugging
Face hub uses. The tasks interpret the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuppence.core.errors import CorruptFileError, InputError, MissingExtraError
from tuppence.core.files import sha256_stream
from tuppence.data.bad_rows import at_row
from tuppence.data.catalog import load_catalog
from tuppence.data.inputs import Source, find_sources
from tuppence.data.records.rows import Row
from tuppence.data.records.tables import read_table
from tuppence.data.unpacking import refuse_other_content
from tuppence.storage import join, open_store, split_url

TABLE_LIMIT_BYTES = 2**28
"""The largest .parquet file that is read: its rows are held in memory. HellaSwag has 12 MB."""


@dataclass(frozen=True)
class RowFile:
    """The rows of one file.

    Attributes:
        path: as the user named it.
        sha256: of the file.
        rows: in order; the row log uses their indices.
    """

    path: str
    sha256: str
    rows: list[Row]


def find_file(task: str, named: str | None, folder: str) -> str:
    """Returns the file of a task: the one that the user named, or the one that `tuppence data get` downloads.

    Args:
        named: the file that the user named, if any.
        folder: the folder of the catalog's files, which have their names in the catalog.

    Raises:
        InputError: no file was named, and the catalog's file is not in the folder.
    """
    if named is not None:
        return named
    public = next((one for one in load_catalog() if one.kind == "evaluation" and one.name == task), None)
    if public is None:
        raise InputError(f"{task} needs a file of rows", f"add --data FILE, or --task-data {task}=FILE")
    store, place = open_store(folder), join(folder, public.file)
    for suffix in ("", ".gz"):
        if store.describe(public.file + suffix) is not None:
            return place + suffix
    raise InputError(
        f"{task} needs its rows, and {place} does not exist",
        f"tuppence data get {public.name} --out {place}; or name a file: --task-data {task}=FILE",
    )


def read_rows(path: str, limit: int | None = None) -> RowFile:
    """Reads the first `limit` rows of a file, or all rows.

    Raises:
        InputError: there is no such file, or its format is another one; a row is not an object; there is no row.
        CorruptFileError: the file is damaged.
    """
    if path.lower().endswith(".parquet"):
        rows = list(_parquet_rows(path))
    else:
        rows = read_table(path).rows
    if not rows:
        raise InputError(f"{path} holds no rows", "name a file that has some")
    return RowFile(path, sha256_of(path), rows[:limit])


def keys_of(row: Row) -> str:
    """Lists the first keys of a row, for messages."""
    return ", ".join(map(str, list(row.values)[:8])) or "nothing"


def bad_row(message: str) -> InputError:
    """Returns the error for a row that cannot be used."""
    return InputError(message, "fix the row, or leave it out of the file")


def sha256_of(path: str) -> str:
    """Returns the sha256 of a local or remote file."""
    folder, name = split_url(path)
    with open_store(folder).open(name) as stream:
        return sha256_stream(stream)


def _parquet_rows(path: str) -> Iterator[Row]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "files", f"reading {path}") from error
    source = _one_source(path)
    with source.store.open(source.entry.name) as stream:
        refuse_other_content(source, stream)
        try:
            values = parquet.read_table(stream).to_pylist()
        except (arrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CorruptFileError(f"{path} is not a valid parquet file: {reason}", "get the file again") from error
    for number, row in enumerate(values, start=1):
        yield Row(at_row(path, number), {name: _text_of_bytes(value) for name, value in row.items()})


def _text_of_bytes(value: object) -> object:
    """Decodes a cell of a column of bytes, which can be text without its mark; other values are unchanged."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def _one_source(path: str) -> Source:
    sources = find_sources([path])
    if len(sources) != 1:
        raise InputError(f"{path} matches {len(sources)} files", "name one file")
    if sources[0].entry.size > TABLE_LIMIT_BYTES:
        raise InputError(f"{path} is larger than {TABLE_LIMIT_BYTES // 2**20} MiB", "is it the right file?")
    return sources[0]

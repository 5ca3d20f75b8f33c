"""The documents of .parquet files: one a row, its text in a column. Called by `readers`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tuppence.core.errors import CorruptFileError, InputError, MissingExtraError
from tuppence.data.bad_rows import BadRowError, at_row, checked_text
from tuppence.data.inputs import Source
from tuppence.data.pieces import Piece, ReadReport, cut_document, unless_bad
from tuppence.data.unpacking import OnBytes, refuse_other_content
from tuppence.data.weights import WEIGHT_NAMES, unused_weight

_TEXT_TYPES = {f"{size}{kind}" for size in ("", "large_") for kind in ("string", "binary")}
_TEXT_TYPES |= {"string_view", "binary_view", "fixed_size_binary", "null"}  # in a column of nulls every row is bad


def _parquet_text(where: str, value: Any, text_key: str, inside: Sequence[str]) -> str:
    """The text of an Arrow scalar; its bytes are not checked before.

    Args:
        inside: the path of fields from the scalar, a structure, to its text.
    """
    try:
        text = value.as_py()
        for name in inside:
            text = None if text is None else text[name]
        if isinstance(text, bytes):  # a column whose type is not marked as UTF-8
            text = text.decode()
    except UnicodeDecodeError as error:
        raise BadRowError(f"{where}: '{text_key}' is not UTF-8 (byte {error.start:,} of the text)") from error
    return checked_text(text, where, f"'{text_key}'")


def parquet_pieces(
    source: Source, text_key: str, skip_bad_rows: bool, report: ReadReport, on_bytes: OnBytes | None
) -> Iterator[Piece]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "files", f"reading {source.path}") from error
    number = 0
    with source.store.open(source.entry.name) as stream:
        refuse_other_content(source, stream)
        try:
            with parquet.ParquetFile(stream, pre_buffer=False) as table:
                total = max(table.metadata.num_rows, 1)
                inside = _path_inside(source.path, table.schema_arrow, text_key)
                column = text_key if text_key in table.schema_arrow.names else text_key.partition(".")[0]
                weights = [name for name in _weight_columns(table.schema_arrow) if name != column]
                batches = table.iter_batches(batch_size=256, columns=[text_key, *weights], use_threads=False)
                with contextlib.closing(batches):
                    for batch in batches:
                        _count_weights(batch, weights, report)
                        for value in batch.column(column):
                            number += 1
                            row = (at_row(source.path, number), value, text_key, inside)
                            text = unless_bad(skip_bad_rows, report, _parquet_text, *row)
                            if text is not None:
                                yield from cut_document(source.path, number, text)
                        if on_bytes is not None:
                            on_bytes(source.entry.size * batch.num_rows // total)
        except (arrow.ArrowException, OSError) as error:
            raise CorruptFileError(
                f"{source.path} is not a valid parquet file: {' '.join(str(error).split())[:200]}",
                "get the file again",
            ) from error


def _weight_columns(schema: Any) -> list[str]:
    """The columns that say which rows are trained."""
    import pyarrow as arrow

    kinds = [(name, schema.field(name).type) for name in WEIGHT_NAMES if schema.names.count(name) == 1]
    types = (arrow.types.is_boolean, arrow.types.is_integer, arrow.types.is_floating)
    return [name for name, kind in kinds if any(is_type(kind) for is_type in types)]


def _count_weights(batch: Any, weights: Sequence[str], report: ReadReport) -> None:
    """Counts the rows whose weight is not that of every other row."""
    for name in weights:
        report.unused.update(filter(None, (unused_weight(name, value) for value in batch.column(name).to_pylist())))


def _path_inside(path: str, schema: Any, text_key: str) -> list[str]:
    """The path of fields from a column to its texts: empty, or ["text"] for the key "meta.text" of a structure.

    Raises:
        InputError: there is no such column, or it does not hold text.
    """
    import pyarrow as arrow

    column, *inside = [text_key] if text_key in schema.names else text_key.split(".")
    kind = schema.field(column).type if column in schema.names else None
    for name in inside:
        place = kind.get_field_index(name) if kind is not None and arrow.types.is_struct(kind) else -1
        kind = kind.field(place).type if kind is not None and place >= 0 else None
    listed = ", ".join(schema.names[:8])
    if kind is None:
        raise InputError(f"{path}: no column '{text_key}' (it has {listed})", "name the column with --text-key")
    if not _holds_text(kind):
        texts = ", ".join(_text_columns(schema)[:8])
        raise InputError(
            f"{path}: column '{text_key}' holds {_type_name(kind)}, not text",
            f"name the column of the texts with --text-key (there is {texts})"
            if texts
            else "make it a column of strings",
        )
    return inside


def _text_columns(schema: Any) -> list[str]:
    """The values of --text-key that name a column of text, or a text inside a column of structures."""
    import pyarrow as arrow

    found = []
    for column in schema:
        if _holds_text(column.type):
            found.append(column.name)
        elif arrow.types.is_struct(column.type):
            found += [f"{column.name}.{field.name}" for field in column.type if _holds_text(field.type)]
    return found


def _holds_text(kind: Any) -> bool:
    import pyarrow as arrow

    return _type_name(kind.value_type if arrow.types.is_dictionary(kind) else kind) in _TEXT_TYPES


def _type_name(kind: Any) -> str:
    """The name of an Arrow type without its parts: "list" for "list<item: string>"."""
    return re.sub(r"[<\[].*", "", str(kind), flags=re.DOTALL)

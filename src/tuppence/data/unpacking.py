"""Reads the bytes of a file, and unpacks `.gz` and `.zst` in bounded memory.

Refuses a file whose first bytes contradict its name: a Git LFS pointer, a packed file without the suffix, a zip file or
a PDF. `readers` and `records` interpret the bytes.
"""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from tuppence.core import git_lfs
from tuppence.core.errors import CorruptFileError, InputError, MissingExtraError
from tuppence.data.inputs import Source

CHUNK_BYTES = 2**20
_GZIP_BYTES = 2**14  # unpack to 16 MiB at most
_ZSTD_BYTES = 256  # unpack to 8 MiB at most, because a block of 4 bytes can unpack to 128 KiB
_ZSTD_WINDOW = 2**31  # window of `zstd --long=31`; the library's default limit is 2**27

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_OTHER_FILES = {b"PK\x03\x04": "a zip or Office file", b"%PDF-": "a PDF", b"Rar!": "a rar archive"}

OnBytes = Callable[[int], object]


def read_chunks(source: Source, on_bytes: OnBytes | None = None) -> Iterator[bytes]:
    """Yields the unpacked bytes of a file in chunks of about 1 MiB.

    Args:
        source: the file.
        on_bytes: called with the number of bytes that were read from the file, before unpacking.

    Raises:
        InputError: the file is of another kind than its name says.
        CorruptFileError: a `.gz` or `.zst` file is damaged or ends too early.
    """
    with source.store.open(source.entry.name) as stream:
        refuse_other_content(source, stream)
        if not source.compression:
            stream.seek(source.start)
            yield from _raw_chunks(stream, CHUNK_BYTES, on_bytes, source.size)
            return
        size = _GZIP_BYTES if source.compression == ".gz" else _ZSTD_BYTES
        raw = _raw_chunks(stream, size, on_bytes)
        waiting: list[bytes] = []
        size = 0
        for chunk in _unpacked(raw, source):
            waiting.append(chunk)
            size += len(chunk)
            if size >= CHUNK_BYTES:
                yield b"".join(waiting)
                waiting.clear()
                size = 0
        yield b"".join(waiting)


def refuse_other_content(source: Source, stream: BinaryIO) -> None:
    """Checks the first bytes of a file. The stream is at its beginning before and after.

    Raises:
        InputError: they belong to another kind of file than the name says.
    """
    head = stream.read(64)
    stream.seek(0)
    path = source.path
    if head.startswith(git_lfs.BEGINNING):
        raise git_lfs.pointer_error(path)
    if source.kind == "parquet":
        return
    for suffix, magic in ((".gz", _GZIP), (".zst", _ZSTD)):
        if head.startswith(magic) and source.compression != suffix:
            raise InputError(
                f"{path} is packed as a {suffix} file",
                f"give it this suffix: {shlex.join(['mv', path, path + suffix])}",
            )
    if source.compression and _is_plain_text(head):
        raise InputError(
            f"{path} is not packed: it begins with plain text",
            _rename_hint(path, path[: -len(source.compression)]),
        )
    for magic, what in _OTHER_FILES.items():
        if head.startswith(magic):
            raise InputError(f"{path} is {what}, not text", "save its content as a UTF-8 .txt or .jsonl file")
    if head.startswith(b"PAR1"):
        raise InputError(f"{path} is a parquet file", "save it as .csv or .jsonl, or give it the suffix .parquet")


def _rename_hint(path: str, name: str) -> str:
    return f"remove the suffix: {shlex.join(['mv', path, name])}"


def _is_plain_text(head: bytes) -> bool:
    """Whether bytes can be the beginning of UTF-8 text. The first bytes of packed files cannot."""
    return bool(head) and all(byte >= 32 or byte in b"\t\r\n" for byte in head) and head[0] < 128


def _raw_chunks(stream: BinaryIO, size: int, on_bytes: OnBytes | None, most: int | None = None) -> Iterator[bytes]:
    left = most
    while chunk := stream.read(size if left is None else min(size, left)):
        left = None if left is None else left - len(chunk)
        if on_bytes is not None:
            on_bytes(len(chunk))
        yield chunk


def _unpacked(chunks: Iterator[bytes], source: Source) -> Iterator[bytes]:
    """Yields the unpacked bytes of consecutive gzip members or zstd frames."""
    new_engine, errors = _engine_of(source)
    engine: Any = None
    for chunk in chunks:
        while chunk:
            engine = engine or new_engine()
            try:
                yield engine.decompress(chunk)
            except errors as error:
                raise _damaged(source, error) from error
            if not engine.eof:
                break
            chunk, engine = engine.unused_data.lstrip(b"\0"), None  # zeros can follow a gzip member as padding
    if engine is not None:
        raise CorruptFileError(
            f"{source.path} ends too early: the {source.compression} file is incomplete", "get the file again"
        )


def _damaged(source: Source, error: Exception) -> InputError:
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return InputError(
            f"{source.path} needs more memory to unpack than is free",
            f"unpack it first: {shlex.join(['zstd', '-d', '--long=31', source.path])}",
        )
    return CorruptFileError(f"{source.path} is not a valid {source.compression} file: {error}", "get the file again")


def _engine_of(source: Source) -> tuple[Callable[[], Any], tuple[type[Exception], ...]]:
    if source.compression == ".gz":
        return lambda: zlib.decompressobj(wbits=31), (zlib.error,)
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError("zstandard", "files", f"reading {source.path}") from error
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    return decompressor.decompressobj, (zstandard.ZstdError, MemoryError)

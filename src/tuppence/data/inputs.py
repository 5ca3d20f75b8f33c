"""Finds the files that a person's inputs mean, and opens them as plain bytes.

An input is a file, a folder (read recursively, in sorted order, files of kinds we know), or a glob. `.gz` and
`.zst` are unpacked on the way. What the bytes hold is the business of `readers`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from tuppence.core.errors import CorruptFileError, InputError, MissingExtraError
from tuppence.storage import Entry, Store, open_store, split_url

KINDS = {".txt": "text", ".md": "text", ".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl"}
KINDS |= {".parquet": "parquet"}
COMPRESSIONS = (".gz", ".zst")
_ONLY_IF_NAMED = (".json", ".json.gz", ".json.zst")  # in a folder they are rather metadata than rows
READABLE = ".txt .md .jsonl .parquet, and .gz or .zst of the text ones"

CHUNK_BYTES = 2**20
_PACKED_BYTES = 2**14  # a zstd block of a few bytes may unpack to 128 KiB: small reads bound what one read becomes

OnBytes = Callable[[int], object]

Inputs: TypeAlias = str | Path | Sequence[str | Path] | Sequence[str]
"""One or several files, folders or globs."""


@dataclass(frozen=True)
class Source:
    """One file to read.

    Attributes:
        store: where it lives.
        entry: its name there, size in bytes and version.
        path: what a person calls it; error messages begin with it.
        kind: "text", "jsonl" or "parquet".
        compression: "", ".gz" or ".zst".
        named: whether it was named itself, rather than found in a folder or by a glob.
    """

    store: Store
    entry: Entry
    path: str
    kind: str
    compression: str
    named: bool

    @property
    def identity(self) -> list[object]:
        """Equal as long as the same file holds the same content (as far as size and version tell)."""
        return [self.path, self.entry.size, self.entry.version]


def input_names(inputs: Inputs) -> tuple[str, ...]:
    """The inputs as a person wrote them, one or several.

    Example:
        >>> input_names("novels.txt"), input_names([Path("a.txt"), "b*.txt"])
        (('novels.txt',), ('a.txt', 'b*.txt'))
    """
    return (str(inputs),) if isinstance(inputs, str | Path) else tuple(map(str, inputs))


def find_sources(inputs: Inputs) -> list[Source]:
    """The files behind `inputs`, in the order given; those of a folder or a glob sorted by name.

    In a folder, files of other kinds, empty ones and plain .json (metadata, rather than rows) are passed over.

    Raises:
        InputError: no such file, a glob or folder without readable files, an unknown suffix, an empty file.
    """
    sources = [source for one in input_names(inputs) for source in _find(one)]
    if not sources:
        raise InputError("no input was given", f"name files, folders or globs of {READABLE}")
    return sources


def _find(one: str) -> list[Source]:
    if re.search(r"[*?\[]", one):
        return _find_glob(one)
    inside = open_store(one)
    folder, name = split_url(one)
    store = open_store(folder)
    entry = store.describe(name) if name else None
    if entry is not None:
        if entry.size == 0:
            raise InputError(f"{one} is empty", "name a file that holds text")
        return [_source(store, entry, one, named=True)]
    found = [
        _source(inside, entry, f"{one.rstrip('/')}/{entry.name}", named=False)
        for entry in inside.list()
        if _kind_of(entry.name) and entry.size and not entry.name.lower().endswith(_ONLY_IF_NAMED)
    ]
    if not found:
        raise InputError(f"{one} holds no file that we can read", f"we read {READABLE}")
    return found


def _find_glob(pattern: str) -> list[Source]:
    """Expands `*`, `?`, `[...]` inside a name and `**` across folders; a file of exactly that name comes first."""
    open_store(pattern)  # complains of a storage that we cannot read, by its whole name
    folder, name = split_url(pattern)
    literal = open_store(folder).describe(name)
    if literal is not None:
        return [_source(open_store(folder), literal, pattern, named=True)]
    cut = pattern.rfind("/", 0, re.search(r"[*?\[]", pattern).start())  # type: ignore[union-attr]
    root = pattern[:cut] or "/" if cut >= 0 else "."
    wanted = _glob_regex(pattern[cut + 1 :])
    store = open_store(root)
    matches = [entry for entry in store.list(recursive="/" in pattern[cut + 1 :]) if wanted.fullmatch(entry.name)]
    prefix = pattern[: cut + 1]
    sources = [_source(store, entry, prefix + entry.name, named=False) for entry in matches if entry.size]
    if not sources:
        raise InputError(f"no file matches {pattern}", "check the pattern, and quote it for the shell")
    return sources


def _glob_regex(pattern: str) -> re.Pattern[str]:
    """The glob as a regular expression over names with `/`.

    Example:
        >>> bool(_glob_regex("**/*.txt").fullmatch("a/b/c.txt")), bool(_glob_regex("*.txt").fullmatch("a/c.txt"))
        (True, False)
    """
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}

    def translate(piece: str) -> str:
        if piece in meaning:
            return meaning[piece]
        is_set = len(piece) > 2 and piece[0] == "[" and piece[-1] == "]"
        return piece.replace("[!", "[^", 1) if is_set else re.escape(piece)

    try:
        return re.compile("".join(map(translate, pieces)))
    except re.error as error:
        raise InputError(f"{pattern} is no pattern: {error.msg}", "a set is written as in [abc] or [a-z]") from error


def _kind_of(name: str) -> tuple[str, str] | None:
    """(kind, compression) by the name's suffixes; None where we do not know it."""
    lower = name.lower()
    compression = next((suffix for suffix in COMPRESSIONS if lower.endswith(suffix)), "")
    stem = lower[: len(lower) - len(compression)]
    kind = next((kind for suffix, kind in KINDS.items() if stem.endswith(suffix)), None)
    if kind is None or (kind == "parquet" and compression):
        return None
    return kind, compression


def _source(store: Store, entry: Entry, path: str, *, named: bool) -> Source:
    known = _kind_of(entry.name)
    if known is None:
        raise InputError(f"{path}: we do not read files of this kind", f"we read {READABLE}")
    return Source(store, entry, path, known[0], known[1], named)


def read_chunks(source: Source, on_bytes: OnBytes | None = None) -> Iterator[bytes]:
    """The unpacked bytes of a file in chunks of about 1 MiB.

    Args:
        source: the file.
        on_bytes: called with the number of bytes just read from the file as it lies there (packed).

    Raises:
        CorruptFileError: a `.gz` or `.zst` that is damaged or ends too early.
    """
    with source.store.open(source.entry.name) as stream:
        if not source.compression:
            yield from _raw_chunks(stream, CHUNK_BYTES, on_bytes)
            return
        raw = _raw_chunks(stream, _PACKED_BYTES, on_bytes)
        small: list[bytes] = []
        for chunk in _unpacked(raw, source):
            small.append(chunk)
            if sum(map(len, small)) >= CHUNK_BYTES:
                yield b"".join(small)
                small.clear()
        yield b"".join(small)


def _raw_chunks(stream: BinaryIO, size: int, on_bytes: OnBytes | None) -> Iterator[bytes]:
    while chunk := stream.read(size):
        if on_bytes is not None:
            on_bytes(len(chunk))
        yield chunk


def _unpacked(chunks: Iterator[bytes], source: Source) -> Iterator[bytes]:
    """Unpacks one or more gzip members or zstd frames, one after the other."""
    new_engine, errors = _engine_of(source)
    engine: Any = None
    for chunk in chunks:
        while chunk:
            engine = engine or new_engine()
            try:
                yield engine.decompress(chunk)
            except errors as error:
                raise CorruptFileError(
                    f"{source.path} is not a sound {source.compression} file: {error}", "get the file again"
                ) from error
            if not engine.eof:
                break
            chunk, engine = engine.unused_data.lstrip(b"\0"), None  # gzip allows zeros as padding
    if engine is not None:
        raise CorruptFileError(f"{source.path} ends too early: half a {source.compression} file", "get the file again")


def _engine_of(source: Source) -> tuple[Callable[[], Any], type[Exception]]:
    if source.compression == ".gz":
        return lambda: zlib.decompressobj(wbits=31), zlib.error
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError("zstandard", "files", f"reading {source.path}") from error
    return lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError

"""Finds the files for the inputs on the command line.

An input is a file, a folder, or a glob. A folder is read recursively, in sorted order, without files of other kinds. If
a file or folder has the literal name of a glob, it is read, and the glob is not expanded. `unpacking` opens the files,
`readers` reads their content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from tuppence.core.console import counted, note, warn
from tuppence.core.errors import InputError
from tuppence.storage import Entry, Store, open_store, split_url

KINDS = {".txt": "text", ".md": "text", ".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl"}
KINDS |= {".parquet": "parquet"}
COMPRESSIONS = (".gz", ".zst")
_ONLY_IF_NAMED = (".json", ".json.gz", ".json.zst")  # in a folder they are usually metadata, not rows
READABLE = ".txt .md .jsonl .parquet, and .gz or .zst of the text ones"

Inputs: TypeAlias = str | Path | Sequence[str | Path] | Sequence[str]
"""One or several files, folders or globs."""


@dataclass(frozen=True)
class Source:
    """One file to read.

    Attributes:
        store: that contains it.
        entry: its name in the store, size in bytes and version.
        path: its name for the user; error messages begin with it.
        kind: "text", "jsonl" or "parquet".
        compression: "", ".gz" or ".zst".
        named: whether the input named the file, not a folder or a glob.
        start, end: the bytes to read; by default all. They begin and end with a line of a file that is not packed.
    """

    store: Store
    entry: Entry
    path: str
    kind: str
    compression: str
    named: bool
    start: int = 0
    end: int | None = None

    @property
    def size(self) -> int:
        """Number of bytes to read."""
        return (self.entry.size if self.end is None else self.end) - self.start

    @property
    def identity(self) -> list[object]:
        """A key of the file's content, as far as size and version determine it."""
        return [self.path, self.entry.size, self.entry.version]


@dataclass
class _Found:
    """The files in a folder, or the files that match a glob.

    Attributes:
        sources: the files to read.
        other: names of files that are not read: another kind, or a .json file.
        empty: names of empty files.
        unusable: the error for each file of a known kind that cannot be opened: a dead link, a pipe.
    """

    sources: list[Source] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unusable: list[InputError] = field(default_factory=list)

    def add(self, store: Store, entry: Entry, path: str, *, json: bool = False) -> None:
        """Adds a file to the list that it belongs to.

        Args:
            json: whether .json files are read.
        """
        if _kind_of(entry.name) is None or (entry.name.lower().endswith(_ONLY_IF_NAMED) and not json):
            self.other.append(path)
        elif entry.size == 0:
            self.empty.append(path)
        else:
            self.sources.append(_source(store, entry, path, named=False))

    def add_unusable(self, name: str, error: InputError) -> None:
        """Keeps the error for a file that cannot be opened, if its kind is known."""
        if _kind_of(name):
            self.unusable.append(error)


def input_names(inputs: Inputs) -> tuple[str, ...]:
    """Returns the inputs as strings, as the user wrote them.

    Example:
        >>> input_names("novels.txt"), input_names([Path("a.txt"), "b*.txt"])
        (('novels.txt',), ('a.txt', 'b*.txt'))
    """
    return (str(inputs),) if isinstance(inputs, str | Path) else tuple(map(str, inputs))


def find_sources(inputs: Inputs) -> list[Source]:
    """Returns the files of the inputs, in the order given. Those of a folder or a glob are sorted by name.

    In a folder, files of other kinds, empty files, dead links and plain .json files (usually metadata) are skipped:
    `warn_of_passed_over` names them.

    Raises:
        InputError: a file does not exist, is empty, is a pipe or has an unknown suffix; or a folder or glob has no file
            that can be read.
    """
    sources = [source for one in input_names(inputs) for source in _find(one).sources]
    if not sources:
        raise InputError("no input was given", f"name files, folders or globs of {READABLE}")
    return sources


def warn_of_passed_over(inputs: Inputs) -> None:
    """Reports the files that `find_sources` skips: their number for each input, and the first names."""
    for one in input_names(inputs):
        found = _find(one)
        if found.other:
            note(f"{one}: passed over {counted(len(found.other), 'file')} of other kinds ({_listed(found.other)})")
        if found.empty:
            note(f"{one}: passed over {counted(len(found.empty), 'empty file')} ({_listed(found.empty)})")
        if found.unusable:
            count = counted(len(found.unusable), "file")
            warn(f"{one}: passed over {count} that cannot be read; the first: {found.unusable[0].message}")


def _listed(paths: Sequence[str]) -> str:
    return ", ".join([*paths[:3], *([f"and {len(paths) - 3:,} more"] if len(paths) > 3 else [])])


def _find(one: str) -> _Found:
    if not one:
        raise InputError("an input is an empty name", f"name files, folders or globs of {READABLE}")
    inside = open_store(one)  # the error for an unknown storage has the whole name
    folder, name = split_url(one)
    store = open_store(folder)
    entry = store.describe(name) if name else None
    if entry is not None:
        if entry.size == 0:
            raise InputError(f"{one} is empty", "name a file that holds text")
        return _Found([_source(store, entry, one, named=True)])
    if inside.is_folder():
        return _in_folder(inside, one)
    if re.search(r"[*?\[]", one):
        return _find_glob(one)
    raise _missing(one)


def _in_folder(store: Store, one: str) -> _Found:
    found = _Found()
    for entry in store.list(on_unusable=found.add_unusable):
        found.add(store, entry, f"{one.rstrip('/')}/{entry.name}")
    if not found.sources:
        if found.unusable:
            raise found.unusable[0]
        raise InputError(f"{one} holds no file that can be read", f"give {READABLE}")
    return found


def _missing(one: str) -> InputError:
    if one == "-":
        return InputError(
            "text cannot be read from stdin (-) here, because it is read more than once",
            "write it to a file, and name the file",
        )
    if "{" in one and "}" in one:
        return InputError(
            f"{one} does not exist", "only the shell expands {a,b}: leave the braces out of the quotes, or name each"
        )
    return InputError(f"{one} does not exist", "check the path")


def _find_glob(pattern: str) -> _Found:
    """Expands `*`, `?` and `[...]` inside a name, and `**` across folders. A folder that matches is read as if it were
    named."""
    pattern = re.sub(r"(?<!:)/{2,}", "/", pattern).rstrip("/")
    cut = pattern.rfind("/", 0, re.search(r"[*?\[]", pattern).start())  # type: ignore[union-attr]
    prefix, rest = pattern[: cut + 1], pattern[cut + 1 :]
    parts = rest.split("/")
    any_depth = next((place for place, part in enumerate(parts) if "**" in part), len(parts))
    known = [_glob_regex(part) for part in parts[:any_depth]]
    wanted, json = _glob_regex(rest), ".json" in parts[-1].lower()

    folders: list[str] = []  # those that match

    def enter(folder: str) -> bool:
        if wanted.fullmatch(folder):
            folders.append(folder)
        return all(part.fullmatch(name) for part, name in zip(known, folder.split("/"), strict=False))

    def matches(name: str) -> bool:
        above = [name[: place.start()] for place in re.finditer("/", name)]
        return any(wanted.fullmatch(one) for one in (name, *above))

    found = _Found()
    store = open_store(prefix or ".")
    for entry in store.list(
        enter=enter, on_unusable=lambda name, error: found.add_unusable(name, error) if matches(name) else None
    ):
        if matches(entry.name):
            found.add(store, entry, prefix + entry.name, json=json and wanted.fullmatch(entry.name) is not None)
    if not found.sources:
        raise _no_match(pattern, found, [prefix + folder for folder in folders])
    return found


def _no_match(pattern: str, found: _Found, folders: Sequence[str]) -> InputError:
    """Returns the error for a glob that finds nothing to read.

    Args:
        folders: the folders that match.
    """
    if found.unusable:
        return found.unusable[0]
    if found.empty:
        return InputError(f"all files that match {pattern} are empty", "name files that hold text")
    if found.other:
        return InputError(f"{pattern} matches files of other kinds only ({_listed(found.other)})", f"give {READABLE}")
    if folders:
        return InputError(f"only folders without a file match {pattern} ({_listed(folders)})", f"give {READABLE}")
    return InputError(f"no file matches {pattern}", "check the pattern, and quote it for the shell")


def _glob_regex(pattern: str) -> re.Pattern[str]:
    """Returns the glob as a regular expression over names with `/`.

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
        return re.compile("".join(map(translate, pieces)), re.DOTALL)
    except re.error as error:
        raise InputError(
            f"{pattern} is not a valid pattern: {error.msg}", "a set is written as in [abc] or [a-z]"
        ) from error


def _kind_of(name: str) -> tuple[str, str] | None:
    """Returns (kind, compression), which the suffixes of the name determine; None for an unknown kind."""
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
        raise _other_kind(path)
    return Source(store, entry, path, known[0], known[1], named)


def _other_kind(path: str) -> InputError:
    return InputError(f"{path}: files of this kind cannot be read", f"give {READABLE}")

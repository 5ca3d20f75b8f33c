"""Local inputs of a job in S3, each content once: the key is the sha256 of what a folder holds.

The same data set is uploaded for the first job and found there by the next one. A file in S3 is complete or absent, so
an upload that was cut off continues with the files that are missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.core.files import sha256_file
from tuppence.storage import RemoteStore

MOST_FILES = 100_000
AT_ONCE = 8


@dataclass(frozen=True)
class Tree:
    """Files that become an input channel.

    Attributes:
        files: name below the folder of the channel → path on this machine.
        facts: name → (bytes, sha256).
    """

    files: Mapping[str, Path]
    facts: Mapping[str, tuple[int, str]]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(size for size, _ in self.facts.values())

    @property
    def key(self) -> str:
        """Identifies the content, names included."""
        lines = (f"{digest} {size} {name}\n" for name, (size, digest) in sorted(self.facts.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:40]

    def describe(self) -> str:
        """Number and size of the files.

        Example:
            >>> Tree({}, {"a": (2_500_000, "0")}).describe()
            '1 file, 2.5 MB'
        """
        return f"{counted(len(self.facts), 'file')}, {self.size / 1e6:,.3g} MB"


def tree_of(place: Path, choose: Callable[[str], bool] = lambda name: True) -> Tree:
    """The tree of a file or of a folder; the top name is kept, so that a file keeps its suffix.

    Hidden files are left out, links are followed.

    Args:
        choose: whether a file of a folder is taken, by its name below the folder.

    Raises:
        InputError: there is nothing, or too much.
    """
    if place.is_file():
        found = {place.name: place}
    elif place.is_dir():
        found = {}
        for path in sorted(place.rglob("*")):
            name = path.relative_to(place).as_posix()
            hidden = any(part.startswith(".") for part in name.split("/"))
            if path.is_file() and not hidden and choose(name):
                found[f"{place.resolve().name or 'input'}/{name}"] = path
            if len(found) > MOST_FILES:
                raise InputError(f"{place} has more than {MOST_FILES:,} files", "pack them, or name a smaller folder")
    else:
        raise InputError(f"{place} does not exist", "check the path")
    if not found:
        raise InputError(f"{place} has no files", "check the path")
    return Tree(found, {name: (path.stat().st_size, sha256_file(path)) for name, path in found.items()})


def missing_files(tree: Tree, store: RemoteStore, prefix: str) -> list[str]:
    """The names of a tree that are not in S3 yet."""

    def absent(name: str) -> bool:
        entry = store.describe(f"{prefix}/{name}")
        return entry is None or entry.size != tree.facts[name][0]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = list(tree.facts)
        return [name for name, is_absent in zip(names, pool.map(absent, names), strict=True) if is_absent]


def upload(tree: Tree, store: RemoteStore, prefix: str, on_bytes: Callable[[int], object] = lambda count: None) -> int:
    """Uploads the files that are missing, and returns how many they were.

    Args:
        on_bytes: called with the size of each uploaded file.

    Raises:
        CorruptFileError: a file changed since the tree was made.
    """

    def send(name: str) -> None:
        store.upload(tree.files[name], f"{prefix}/{name}", sha256=tree.facts[name][1], if_absent=True)
        on_bytes(tree.facts[name][0])

    missing = missing_files(tree, store, prefix)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(send, missing))
    return len(missing)

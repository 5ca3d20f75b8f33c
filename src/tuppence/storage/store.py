"""The interface every kind of storage answers, and the one place that maps a URL to its implementation.

A store is a folder (or a bucket with a prefix); names inside it are relative, with `/` between their parts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from tuppence.core.errors import InputError

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://")


@dataclass(frozen=True)
class Entry:
    """One file of a store.

    Attributes:
        name: its name relative to the store's root.
        size: bytes.
        version: changes when the content does (a local file's modification time, an object's ETag).
    """

    name: str
    size: int
    version: str


class Store(Protocol):
    """What every kind of storage can do. A missing name raises `InputError`, whatever the kind."""

    url: str

    def describe(self, name: str) -> Entry | None:
        """Size and version of one file; None where there is no such file.

        Raises:
            InputError: there is something else that cannot be read: a link to nothing, a pipe, a device.
        """

    def is_folder(self, name: str = "") -> bool:
        """Whether there is a folder of that name; without a name, the store's own."""

    def list(
        self,
        prefix: str = "",
        *,
        enter: Callable[[str], bool] | None = None,
        on_unusable: Callable[[str, InputError], object] | None = None,
    ) -> Iterator[Entry]:
        """The files below the folder `prefix`, sorted by name; hidden ones are left out, links are followed.

        Args:
            enter: called with the name of each folder below `prefix`, relative to it; False skips the folder.
            on_unusable: called with each name that `describe` refuses and the error; without it, the error is raised.
        """

    def open(self, name: str) -> BinaryIO:
        """A seekable stream of the file's bytes."""

    def read(self, name: str) -> bytes:
        """The whole file."""

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`; fewer where the file ends sooner."""

    def put(self, name: str, content: bytes | Path) -> None:
        """Writes a file, complete or absent: `content` itself, or a copy of the local file it names."""


def open_store(url: str) -> Store:
    """The store at `url`: a local folder's path, or `file://` and one.

    Raises:
        InputError: a kind of storage that this build does not know.

    Example:
        >>> open_store("s3://bucket/texts")
        Traceback (most recent call last):
        tuppence.core.errors.InputError: s3://bucket/texts: this build cannot read s3:// yet
    """
    from tuppence.storage.local import LocalStore

    scheme = _SCHEME.match(url)
    if scheme is None:
        return LocalStore(url)
    if scheme[1] == "file":
        return LocalStore(url.removeprefix("file://"))
    hint = "copy the data to a local folder first"
    if scheme[1] == "s3":
        raise InputError(f"{url}: this build cannot read s3:// yet", hint)
    if scheme[1] in ("http", "https"):
        hint = "download it first; 'tuppence data list' names the public sets we can get"
    raise InputError(f"{url}: cannot read from {scheme[1]}://", hint)


def split_url(url: str) -> tuple[str, str]:
    """Cuts a URL or path into its folder, which `open_store` takes, and the last name.

    Example:
        >>> split_url("s3://bucket/texts/a.txt")
        ('s3://bucket/texts', 'a.txt')
        >>> split_url("a.txt")
        ('.', 'a.txt')
        >>> split_url("./~draft.txt")
        ('.', '~draft.txt')
    """
    scheme = _SCHEME.match(url)
    root = scheme[0] if scheme else ""
    folder, name = os.path.split(url.removeprefix(root).rstrip("/"))  # not Path: it drops the "./" of "./~draft.txt"
    return root + (folder or "."), name

"""The interface of every kind of storage.

A store is a folder, or a bucket with a prefix. Names inside it are relative, with `/` between their parts. Stores are
read-only: results are written to local files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from tuppence.core.errors import InputError


@dataclass(frozen=True)
class Entry:
    """One file of a store.

    Attributes:
        name: relative to the store's root.
        size: in bytes.
        version: changes when the content does (a local file's modification time, an object's ETag).
    """

    name: str
    size: int
    version: str


class Store(Protocol):
    """The methods of every kind of storage. `open` raises `InputError` for a missing name."""

    url: str

    def describe(self, name: str) -> Entry | None:
        """Returns size and version of one file; None if there is no such file.

        Raises:
            InputError: the name is a broken link, a pipe, a device, or cannot be read for another reason.
        """

    def is_folder(self, name: str = "") -> bool:
        """Whether a folder of this name exists. The empty name is the root of the store."""

    def list(
        self,
        *,
        enter: Callable[[str], bool] | None = None,
        on_unusable: Callable[[str, InputError], object] | None = None,
    ) -> Iterator[Entry]:
        """Yields all files, sorted by name. Hidden files are skipped, links are followed.

        Args:
            enter: called with the name of each folder; False skips the folder.
            on_unusable: called with the name and the error if `describe` raises; without it, the error is raised.
        """

    def open(self, name: str) -> BinaryIO:
        """Opens a file as a seekable binary stream."""

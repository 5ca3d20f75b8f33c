"""The interface of every kind of storage.

A store is a folder, or a bucket with a prefix; names inside it are relative, with `/` between their parts. It is read
only: what a program writes goes to local files.
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
    """What every kind of storage can do. A missing name raises `InputError`, whatever the kind."""

    url: str

    def describe(self, name: str) -> Entry | None:
        """Size and version of one file; None where there is no such file.

        Raises:
            InputError: the name is of something that cannot be read: a broken link, a pipe, a device.
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

"""The interface of every kind of storage.

A store is a folder, or a bucket with a prefix. Names inside it are relative, with `/` between their parts. All stores
can be read. Remote ones can be written too; results are written to local files first, and `mirror` copies them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

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


@runtime_checkable
class RemoteStore(Store, Protocol):
    """A store on another machine, which can be written.

    Every write is complete or absent. The methods raise `AwsError` if the store cannot be reached.
    """

    def download(self, name: str, path: Path, *, on_bytes: Callable[[int], object] | None = None) -> str:
        """Copies a file to `path`, which must not exist, and returns its sha256.

        Args:
            on_bytes: called with the number of bytes of each block that has arrived.

        Raises:
            CorruptFileError: the content differs from the sha256 that `upload` recorded.
        """

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Returns the content and the version of a small file; None if there is no such file."""

    def age(self, name: str) -> float | None:
        """Seconds since a file was written, by the store's own clock; None if there is no such file."""

    def put(self, name: str, content: bytes) -> str:
        """Writes a small file, also over another one; returns its version."""

    def put_if_absent(self, name: str, content: bytes) -> str | None:
        """Writes a file if there is none of this name; returns its version, or None if there is one already."""

    def replace_if(self, name: str, content: bytes, version: str) -> str | None:
        """Replaces a file if it still has this version; returns the new version, or None if it has another one.

        If no answer arrives and another process replaces the file right after, None is returned although this write
        took effect for a moment. So the content must tell its writers apart.
        """

    def upload(self, path: Path, name: str, *, sha256: str | None = None, if_absent: bool = False) -> Entry | None:
        """Copies a local file to the store.

        Args:
            sha256: what the file must have, if that is known.
            if_absent: whether to leave an existing file of this name as it is; None is then returned.

        Raises:
            CorruptFileError: the local file has another sha256.
        """

    def sha256(self, name: str) -> str:
        """Reads a file back and returns its sha256."""

    def delete(self, *names: str) -> None:
        """Removes files. Names that do not exist are no error."""

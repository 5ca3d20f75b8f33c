"""The local file system as a store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tuppence.core.errors import InputError
from tuppence.core.files import atomic_file, explain_disk_errors
from tuppence.storage.store import Entry


class LocalStore:
    """A folder on this machine. See `Store` for what each method promises."""

    def __init__(self, root: Path) -> None:
        try:
            self.root = root.expanduser()
        except RuntimeError:  # a name that begins with ~ and is no user's, or a user without a home folder
            self.root = root
        self.url = str(self.root)

    def describe(self, name: str) -> Entry | None:
        try:
            facts = self._path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(self._path(name), error) from error
        if not self._path(name).is_file():
            return None
        return Entry(name, facts.st_size, str(facts.st_mtime_ns))

    def list(self, prefix: str = "", *, recursive: bool = True) -> Iterator[Entry]:
        top = self._path(prefix)
        try:
            found = sorted(_names_below(top, recursive))
        except OSError as error:
            raise _unreadable(top, error) from error
        for name in found:
            entry = self.describe(f"{prefix}/{name}" if prefix else name)
            if entry is not None:
                yield entry

    def open(self, name: str) -> BinaryIO:
        try:
            return self._path(name).open("rb")
        except OSError as error:
            raise _unreadable(self._path(name), error) from error

    def read(self, name: str) -> bytes:
        with self.open(name) as stream:
            return stream.read()

    def read_range(self, name: str, start: int, length: int) -> bytes:
        with self.open(name) as stream:
            stream.seek(start)
            return stream.read(length)

    def put(self, name: str, content: bytes | Path) -> None:
        path = self._path(name)
        with explain_disk_errors(path), atomic_file(path) as out:
            if isinstance(content, bytes):
                out.write(content)
                return
            with content.open("rb") as stream:
                while block := stream.read(2**20):
                    out.write(block)

    def _path(self, name: str) -> Path:
        return self.root / name


def _names_below(top: Path, recursive: bool) -> Iterator[str]:
    """Names relative to `top`, with `/`; folders that cannot be read raise instead of hiding what they hold."""

    def complain(error: OSError) -> None:
        raise error

    for folder, subfolders, files in os.walk(top, onerror=complain):
        subfolders[:] = [name for name in subfolders if recursive and not name.startswith(".")]
        inside = Path(folder).relative_to(top)
        for name in files:
            if not name.startswith("."):
                yield (inside / name).as_posix()


def _unreadable(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path} does not exist", "check the path")
    return InputError(f"cannot read {path}: {error.strerror}", "check the path and its permissions")

"""The local file system as a store."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tuppence.core.errors import InputError
from tuppence.core.files import special_kind
from tuppence.storage.location import local_path
from tuppence.storage.store import Entry


class LocalStore:
    """A folder on this machine. The methods are documented in `Store`."""

    def __init__(self, root: str | Path) -> None:
        self.root = local_path(root)
        self.url = str(self.root)

    def describe(self, name: str) -> Entry | None:
        path = self._path(name)
        try:
            facts = path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            if path.is_symlink():
                raise _dead_link(path) from error
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        if stat.S_ISDIR(facts.st_mode):
            return None
        kind = special_kind(facts.st_mode)
        if kind is not None:
            raise InputError(f"{path} is {kind}, not a file", _PIPE_HINT)
        return Entry(name, facts.st_size, str(facts.st_mtime_ns))

    def is_folder(self, name: str = "") -> bool:
        try:
            return stat.S_ISDIR(self._path(name).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise _unreadable(self._path(name), error) from error

    def list(
        self,
        *,
        enter: Callable[[str], bool] | None = None,
        on_unusable: Callable[[str, InputError], object] | None = None,
    ) -> Iterator[Entry]:
        try:
            found = sorted(_names_below(self.root, enter))
        except OSError as error:
            raise _unreadable(Path(error.filename or self.root), error) from error
        for name in found:
            try:
                entry = self.describe(name)
            except InputError as error:
                if on_unusable is None:
                    raise
                on_unusable(name, error)
                continue
            if entry is not None:
                yield entry

    def open(self, name: str) -> BinaryIO:
        try:
            return self._path(name).open("rb")
        except OSError as error:
            raise _unreadable(self._path(name), error) from error

    def _path(self, name: str) -> Path:
        return self.root / name


_PIPE_HINT = "write the text to a file first; .gz and .zst files are read as they are"


def _names_below(top: Path, enter: Callable[[str], bool] | None) -> Iterator[str]:
    """Yields the names of files relative to `top`, with `/`. A folder that cannot be read raises OSError.

    Links to folders are followed, except a link to a folder above it, which would never end.
    """

    def walk(folder: Path, inside: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
        facts = folder.stat()
        identity = (facts.st_dev, facts.st_ino)
        if identity in above:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                name = inside + entry.name
                if entry.name.startswith("."):
                    continue
                if not _leads_to_a_folder(entry):
                    yield name
                elif enter is None or enter(name):
                    yield from walk(folder / entry.name, name + "/", (*above, identity))

    yield from walk(top, "", ())


def _leads_to_a_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # circular links; `describe` reports the error
        return False


def _dead_link(path: Path) -> InputError:
    return InputError(
        f"{path} is a link to {path.readlink()}, which does not exist", "restore that file, or remove the link"
    )


def _unreadable(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path} does not exist", "check the path")
    return InputError(f"cannot read {path}: {error.strerror}", "check the path and its permissions")

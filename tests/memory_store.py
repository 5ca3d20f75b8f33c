"""An in-memory store behind URLs of its own scheme: `mem://bucket/key`. It behaves like an object store.

There are no folders but prefixes of keys, and a version is a hash of the content, as an ETag is.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from tuppence.core.errors import InputError
from tuppence.storage import Entry, copies
from tuppence.storage.schemes import SCHEMES


class MemoryStore:
    """The objects whose key begins with a URL and a slash."""

    def __init__(self, url: str, objects: dict[str, bytes]) -> None:
        self.url, self._objects = url.rstrip("/"), objects
        self.opened: list[str] = []

    def _key(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url

    def describe(self, name: str) -> Entry | None:
        content = self._objects.get(self._key(name))
        return None if content is None else Entry(name, len(content), hashlib.md5(content).hexdigest())

    def is_folder(self, name: str = "") -> bool:
        return any(key.startswith(self._key(name) + "/") for key in self._objects)

    def list(
        self,
        *,
        enter: Callable[[str], bool] | None = None,
        on_unusable: Callable[[str, InputError], object] | None = None,
    ) -> Iterator[Entry]:
        root = self.url + "/"
        entered: dict[str, bool] = {}

        def is_entered(folder: str) -> bool:
            if folder not in entered:
                above = folder.rpartition("/")[0]
                entered[folder] = (not above or is_entered(above)) and (enter is None or enter(folder))
            return entered[folder]

        for key in sorted(key for key in self._objects if key.startswith(root)):
            name = key.removeprefix(root)
            folder = name.rpartition("/")[0]
            if any(part.startswith(".") and part != ".." for part in name.split("/")) or (
                folder and not is_entered(folder)
            ):
                continue
            entry = self.describe(name)
            assert entry is not None
            yield entry

    def open(self, name: str) -> BinaryIO:
        if self._key(name) not in self._objects:
            raise InputError(f"{self._key(name)} does not exist", "check the location")
        return io.BytesIO(self._objects[self._key(name)])


class WritableMemoryStore(MemoryStore):
    """A store that can be written, as a bucket can.

    Attributes:
        written, deleted: the names in the order of the calls.
        clock: what `age` is computed from, in seconds; a test may change it.
    """

    def __init__(self, url: str = "mem://bucket/run", objects: dict[str, bytes] | None = None) -> None:
        super().__init__(url, {} if objects is None else objects)
        self.written: list[str] = []
        self.deleted: list[str] = []
        self.clock = 0.0
        self.times: dict[str, float] = {}
        self.lock = threading.Lock()

    def names(self) -> list[str]:
        return [entry.name for entry in self.list()]

    def download(self, name: str, path: Path, *, on_bytes: Callable[[int], object] | None = None) -> str:
        with self.open(name) as stream:
            content = stream.read()
        path.write_bytes(content)
        if on_bytes is not None:
            on_bytes(len(content))
        return hashlib.sha256(content).hexdigest()

    def read(self, name: str) -> tuple[bytes, str] | None:
        entry = self.describe(name)
        return None if entry is None else (self._objects[self._key(name)], entry.version)

    def age(self, name: str) -> float | None:
        return self.clock - self.times[name] if name in self.times else None

    def put(self, name: str, content: bytes) -> str:
        self._objects[self._key(name)] = content
        self.times[name] = self.clock
        self.written.append(name)
        entry = self.describe(name)
        assert entry is not None
        return entry.version

    def put_if_absent(self, name: str, content: bytes) -> str | None:
        with self.lock:
            return None if self.describe(name) is not None else self.put(name, content)

    def replace_if(self, name: str, content: bytes, version: str) -> str | None:
        with self.lock:
            entry = self.describe(name)
            return self.put(name, content) if entry is not None and entry.version == version else None

    def upload(self, path: Path, name: str, *, sha256: str | None = None, if_absent: bool = False) -> Entry | None:
        version = self.put(name, path.read_bytes())
        return Entry(name, path.stat().st_size, version)

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self._objects[self._key(name)]).hexdigest()

    def delete(self, *names: str) -> None:
        for name in names:
            self._objects.pop(self._key(name), None)
            self.deleted.append(name)


class Memory:
    """What is behind `mem://` in a test.

    Attributes:
        objects: by URL.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, path: Path, url: str) -> str:
        """Copies a local file or folder to a URL, hidden files left out; returns the URL."""
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                key = url if file == path else f"{url}/{file.relative_to(path).as_posix()}"
                self.objects[key] = file.read_bytes()
        return url


def release_copies() -> None:
    """Ends the use of all staged copies by this process, as its end would."""
    while copies._in_use:
        os.close(copies._in_use.popitem()[1])


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """An empty `mem://`, and a cache folder of the test's own."""
    found = Memory()
    monkeypatch.setitem(SCHEMES, "mem", lambda url: MemoryStore(url, found.objects))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield found
    release_copies()

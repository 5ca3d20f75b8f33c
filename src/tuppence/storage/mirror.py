"""Keeps a local folder and a remote one equal: `begin` copies the remote one here, `end` sends what is new.

Results are written to local files, because training needs rename, append and locks, which S3 does not have. Files go
out before the lists of their checksums (MANIFEST.json, index.json), so that a folder whose list is there is complete.
What has arrived is read back and compared; only then files are removed that the local folder no longer has.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tuppence.core import console
from tuppence.core.environment import free_disk_bytes
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import sha256_file
from tuppence.core.run import Run
from tuppence.storage.checksums import LISTS
from tuppence.storage.staging import COPIES, MOST_FILES, require_plain_name
from tuppence.storage.store import Entry, RemoteStore

SMALL_BYTES = 8 * 2**20
"""Smaller files are read once and sent as they were at that moment, because logs grow while they are sent."""
_MEASURED_BYTES = 2**20
_LISTINGS = 6
_ALWAYS_LAST = ("config.json", Run(Path()).run_file.name)
"""After the weights of a model, and after everything else in a run: readers look for these files."""


@dataclass(frozen=True)
class _Sent:
    """A file as it was sent, or restored."""

    signature: tuple[int, int, int]
    sha256: str
    verified: bool


class Mirror:
    """A local folder and its remote copy.

    Args:
        local: the folder; it exists.
        store: the remote folder.
        only: the name of a single file, if the output is a file; all other files are ignored.

    Attributes:
        bytes_sent, seconds_sending: of files of at least 1 MB.
    """

    def __init__(self, local: Path, store: RemoteStore, only: str | None = None) -> None:
        self.local, self.store, self._only = local, store, only
        self._sent: dict[str, _Sent] = {}
        self.bytes_sent, self.seconds_sending = 0, 0.0

    @property
    def bytes_per_second(self) -> float | None:
        """Measured speed of the uploads; None before the first large file."""
        return self.bytes_sent / self.seconds_sending if self.seconds_sending else None

    # ---- from the store --------------------------------------------------------------------------------------

    def listed(self) -> list[Entry]:
        """Returns the remote files.

        A listing has no checksum, and a flipped bit in a name would hide a file. So two listings must be equal.

        Raises:
            InputError: there are too many, or one has a name that cannot be a local file's.
        """
        if self._only is not None:
            entry = self.store.describe(self._only)
            return [] if entry is None else [entry]
        before: list[Entry] | None = None
        for _ in range(_LISTINGS):
            entries = list(islice(self.store.list(), MOST_FILES + 1))
            if len(entries) > MOST_FILES:
                raise InputError(f"{self.store.url} has more than {MOST_FILES:,} files", "choose another --out")
            if entries == before:
                for entry in entries:
                    require_plain_name(self.store.url, entry.name)
                return entries
            before = entries
        raise InputError(f"{self.store.url} changes all the time", "try again when nothing writes there")

    def begin(self) -> None:
        """Copies all remote files to the local folder, which is empty or does not exist.

        Raises:
            InputError: the disk has no room for them.
        """
        entries = self.listed()
        self.require_room(sum(entry.size for entry in entries))
        for entry in entries:
            self.fetch(entry.name)

    def require_room(self, size: int) -> None:
        """Raises an InputError if the disk has not that many bytes left."""
        free = free_disk_bytes(self.local.parent)
        if free is not None and size > free:
            raise InputError(
                f"{self.store.url} has {size:,} bytes, and the disk of {self.local.parent} has {free:,} left",
                "free some space, or set XDG_CACHE_HOME to a larger disk",
            )

    def fetch(self, name: str) -> None:
        """Copies one remote file to the local folder.

        Raises:
            CorruptFileError: it arrives damaged each time.
        """
        path = self.local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(COPIES):
            try:
                digest = self.store.download(name, path)
                break
            except CorruptFileError as error:
                if attempt + 1 == COPIES:
                    raise
                console.warn(f"{error.message}; it is copied again")
        self._sent[name] = _Sent(_signature(path), digest, True)

    # ---- to the store ----------------------------------------------------------------------------------------

    def end(self, *, send: bool = True, verify: bool = True) -> None:
        """Sends what is new, reads it back, and removes remotely what is gone locally.

        Args:
            send: False: nothing is sent.
            verify: whether to read back what was sent.

        Raises:
            CorruptFileError: a file arrived damaged each time.
            AwsError: the store cannot be reached.
        """
        if not send:
            return
        names = [self._only] if self._only is not None else list(self.local_names())
        self.send(name for name in names if (self.local / name).is_file())
        if verify:
            self.verify(names)
        self.remove(self.gone())

    def local_names(self, below: str = "", skip: Callable[[str], bool] = lambda name: False) -> Iterator[str]:
        """Yields the names of the local files below a folder, without hidden ones.

        Args:
            skip: whether a file or a folder of this name is left out.
        """
        try:
            found = sorted(os.scandir(self.local / below), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in found:
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.name.startswith(".") or skip(name) or entry.is_symlink():
                continue
            if entry.is_dir():
                yield from self.local_names(name, skip)
            elif entry.is_file():
                yield name

    def send(self, names: Iterable[str]) -> list[str]:
        """Sends those files that are new or changed, lists of checksums last; returns their names."""
        changed = [name for name in names if self._is_changed(name)]
        changed.sort(key=_order)
        for name in changed:
            self._send(name)
        return changed

    def verify(self, names: Iterable[str]) -> None:
        """Reads back what was sent and not read back yet. A file that arrived damaged is sent again.

        Raises:
            CorruptFileError: it arrived damaged each time.
        """
        for name in names:
            for attempt in range(COPIES):
                sent = self._sent.get(name)
                if sent is None or sent.verified:
                    break
                if self._read_back(name) == sent.sha256:
                    self._sent[name] = _Sent(sent.signature, sent.sha256, True)
                    break
                if attempt + 1 == COPIES:
                    raise CorruptFileError(f"{self.store.url}/{name} arrived damaged {COPIES} times", "try again")
                console.warn(f"{self.store.url}/{name} arrived damaged; it is sent again")
                del self._sent[name]
                self._send(name)

    def remove(self, names: Iterable[str]) -> None:
        """Removes remote files, lists of checksums first: without its list, a folder is incomplete."""
        ordered = sorted(names, key=_order, reverse=True)
        lists = [name for name in ordered if _order(name)[0]]
        for some in (lists, [name for name in ordered if not _order(name)[0]]):
            if some:
                self.store.delete(*some)
            for name in some:
                self._sent.pop(name, None)

    def gone(self, below: str = "") -> list[str]:
        """Returns the remote files below a folder that the local folder no longer has."""
        inside = f"{below}/" if below else ""
        return [name for name in self._sent if name.startswith(inside) and not (self.local / name).exists()]

    def _is_changed(self, name: str) -> bool:
        try:
            sent = self._sent.get(name)
            return sent is None or sent.signature != _signature(self.local / name)
        except FileNotFoundError:  # removed since it was listed
            return False

    def _send(self, name: str) -> None:
        path = self.local / name
        try:
            signature = _signature(path)
            began, size = time.monotonic(), signature[1]
            if size <= SMALL_BYTES:
                content = path.read_bytes()
                digest, size = hashlib.sha256(content).hexdigest(), len(content)
                version = self.store.put(name, content)
                verified = version.strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest()
            else:
                digest = sha256_file(path)
                self.store.upload(path, name)
                verified = False
        except FileNotFoundError:  # pruned, or replaced, since it was listed
            return
        if size >= _MEASURED_BYTES:
            self.bytes_sent, self.seconds_sending = self.bytes_sent + size, self.seconds_sending + _since(began)
        self._sent[name] = _Sent(signature, digest, verified)

    def _read_back(self, name: str) -> str | None:
        try:
            return self.store.sha256(name)
        except CorruptFileError:
            return None


def _since(began: float) -> float:
    return max(time.monotonic() - began, 1e-3)


def _signature(path: Path) -> tuple[int, int, int]:
    """Changes when the file does."""
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _order(name: str) -> tuple[int, str]:
    """Sort key: files, then lists of their checksums, then the file by which a model or a run is recognized."""
    last = name.rpartition("/")[2]
    return (2 + _ALWAYS_LAST.index(last) if last in _ALWAYS_LAST else int(last in LISTS)), name

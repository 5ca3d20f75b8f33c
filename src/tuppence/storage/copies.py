"""The cache of local copies of remote locations. `staging` decides what is copied and how.

    ~/.cache/tuppence/places/
      KEY/
        location    the location that was copied; its modification time is the last use
        NAME        the copy, under the last name of the location
      KEY.lock      locked while a process makes the copy

A copy is complete or absent. All processes of a user share the cache: if several need the same copy, such as the ranks
of a run, one makes it and the others wait.

Before a copy is made, the copies that have not been used for the longest time are removed, until the new one fits into
the limit of the cache and on the disk. The limit is 50 GB, or the environment variable TUPPENCE_CACHE_GB. A copy larger
than the limit is made too. Copies in use are never removed: a process locks the `location` of each copy that it uses,
until it ends. Systems without these locks (Windows) remove nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tuppence.core import console
from tuppence.core.cache import cache_folder
from tuppence.core.environment import free_disk_bytes
from tuppence.core.errors import InputError
from tuppence.core.files import explain_disk_errors, set_permissions
from tuppence.core.folders import atomic_folder
from tuppence.core.locks import NoLocksError, is_locked_at, lock_file
from tuppence.core.temporary import remove_litter, temporary_sibling
from tuppence.storage.location import Location, join, split_url

LIMIT_GB = 50.0
LIMIT_VARIABLE = "TUPPENCE_CACHE_GB"
LOCATION = "location"
_ATTEMPTS = 3

_in_use: dict[Path, int] = {}
"""Folder of each copy that this process uses → descriptor that holds the lock on its `location`."""


def shared_copy(
    place: str, key: str, size: int, *, is_whole: Callable[[Path], bool], make: Callable[[Path], None]
) -> Path:
    """Returns the copy of a location. It is made if there is none, and in use until this process ends.

    Args:
        key: identifies the location and its content.
        size: bytes of the copy.
        is_whole: whether a path is a finished copy.
        make: writes the copy to a path that does not exist.

    Raises:
        InputError: the disk has no room for the copy, or there is no cache folder.
    """
    folder = places() / key
    copy = folder / (split_url(place)[1] or "copy")
    for _ in range(_ATTEMPTS):  # another process can remove the copy before we lock it
        if is_whole(copy) and _use(folder):
            break
        with _making(folder, place):
            if not is_whole(copy):
                _make_room(place, size)
                with atomic_folder(folder) as temporary:
                    make(temporary / copy.name)
                    (temporary / LOCATION).write_text(place, encoding="utf-8")
                for path in (copy, *copy.rglob("*")):
                    if path.is_file():
                        set_permissions(path, 0o444)
    return copy


def location_of(path: str | Path) -> Location:
    """Returns the original location of a path inside a staged copy or a remote output, and any other path unchanged.

    Runs record the location, because the copy exists only on this machine.
    """
    for root in (places, outputs):
        with contextlib.suppress(ValueError, OSError, InputError):  # not in the cache
            folder, whole = root(), Path(path).absolute()
            key, _, *inside = whole.relative_to(folder if whole.is_relative_to(folder) else folder.resolve()).parts
            return join((folder / key / LOCATION).read_text(encoding="utf-8"), *inside)
    return Location(str(path))


def absolute_location(path: Path) -> Location:
    """Returns the location of a path as `location_of` does, but a local path is absolute.

    Runs record most inputs as they were given, and `Run.find` finds them from any working directory. Two records need
    the absolute path: `base_model_name_or_path` of an adapter, because `peft` opens it from its own working directory,
    and `resumed_from`, because a later command can name the same checkpoint in another way.
    """
    return location_of(path.resolve())


def places() -> Path:
    """Returns the folder of all copies.

    Raises:
        InputError: the user has no home folder.
    """
    return _in_cache("places")


def outputs() -> Path:
    """Returns the folder in which remote outputs are written first; see `remote_output`.

    Raises:
        InputError: the user has no home folder.
    """
    return _in_cache("outputs")


def _in_cache(name: str) -> Path:
    cache = cache_folder()
    if cache is None:
        raise InputError("there is no home folder to keep a copy in", "set XDG_CACHE_HOME to a folder of yours")
    return cache / name


@contextlib.contextmanager
def _making(folder: Path, place: str) -> Iterator[None]:
    """Holds the lock on making a copy. Waits while another process makes it."""
    lock, descriptor = _lock_of(folder), None
    with contextlib.suppress(NoLocksError), explain_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = lock_file(lock, create=True)
        if descriptor is None:
            console.note(f"waiting for another process that copies {place}")
            descriptor = lock_file(lock, create=True, wait=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _use(folder: Path) -> bool:
    """Locks a copy against removal until this process ends. Returns False if another process has just removed it."""
    location = folder / LOCATION
    try:
        with contextlib.suppress(OSError):
            os.utime(location)
        if folder in _in_use and not is_locked_at(location, _in_use[folder]):
            os.close(_in_use.pop(folder))
        if folder not in _in_use:
            descriptor = lock_file(location, shared=True, wait=True)
            assert descriptor is not None  # it waits
            _in_use[folder] = descriptor
        return is_locked_at(location, _in_use[folder])
    except FileNotFoundError:
        return False
    except (OSError, NoLocksError):  # also a cache that this user can only read
        return True


def _make_room(place: str, size: int) -> None:
    """Removes the copies that have not been used for the longest time, until `size` bytes fit.

    Raises:
        InputError: the disk has no room for `size` bytes.
    """
    root, limit = places(), _limit_bytes()
    copies = {folder: _bytes_in(folder) for folder in sorted(_copies_in(root), key=_last_use)}
    total = sum(copies.values()) + size
    for folder, bytes_in_copy in copies.items():
        if total <= limit and _fits_on_disk(root, size):
            break
        if _remove_copy(folder):
            total -= bytes_in_copy
    if not _fits_on_disk(root, size):
        raise InputError(
            f"{place} has {size:,} bytes, and the disk of {root} has {free_disk_bytes(root):,} left",
            "free some space, or set XDG_CACHE_HOME to a larger disk",
        )


def _fits_on_disk(root: Path, size: int) -> bool:
    free = free_disk_bytes(root)
    return free is None or size <= free


def _limit_bytes() -> float:
    stated = os.environ.get(LIMIT_VARIABLE) or str(LIMIT_GB)
    try:
        return float(stated) * 1e9
    except ValueError:
        raise InputError(f"{LIMIT_VARIABLE} is {stated!r}, not a number", "give gigabytes, such as 20") from None


def _copies_in(root: Path) -> list[Path]:
    """Returns the folders of all copies, also of those that a killed process did not finish."""
    made = {path.parent for path in root.glob(f"*/{LOCATION}")}
    return [*made, *({lock.with_suffix("") for lock in root.glob("*.lock")} - made)]


def _last_use(folder: Path) -> float:
    try:
        return (folder / LOCATION).stat().st_mtime
    except OSError:  # not finished
        return 0.0


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def _remove_copy(folder: Path) -> bool:
    """Removes a copy, unless a process makes or uses it. Returns whether it was removed."""
    lock = _lock_of(folder)
    with contextlib.suppress(OSError, NoLocksError), _try_lock(lock) as nobody_makes_it:
        if not nobody_makes_it:
            return False
        remove_litter(folder.parent, folder.name, locked=True)
        if folder.exists():
            with _try_lock(folder / LOCATION) as nobody_uses_it:
                if not nobody_uses_it:
                    return False
                with temporary_sibling(folder) as aside:
                    folder.replace(aside)  # in one step: a copy is complete or absent
        lock.unlink()
        return True
    return False


@contextlib.contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    """Locks a file for the block if no other process holds its lock. Yields whether it is locked."""
    descriptor = lock_file(path, create=True)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")

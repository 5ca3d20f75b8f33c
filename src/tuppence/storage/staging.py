"""`stage` returns a local, read-only, verified copy of a location. Public functions call it, internal ones do not.

A local path is returned unchanged. A remote location is copied into the user's cache folder:

    ~/.cache/tuppence/places/KEY/
      location       the location that was copied
      NAME           the copy, under the last name of the location

KEY is a hash of the location and of the name, size and version of every file. So an unchanged location is copied once,
and a changed one is copied again. A copy is complete or absent, and its files are compared with the sha256 that the
folder lists for them (`checksums`). The cache can be deleted when no program uses it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tuppence.core import console
from tuppence.core.cache import cache_folder
from tuppence.core.environment import free_disk_bytes
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.folders import atomic_folder
from tuppence.core.run import Run
from tuppence.storage.checksums import verify_checksums
from tuppence.storage.location import Location, is_remote, join, local_path, split_url
from tuppence.storage.schemes import open_store
from tuppence.storage.store import Entry, Store

MOST_FILES = 100_000
_BLOCK_BYTES = 2**20
_LOCATION = "location"
_NOT_READ_FROM_A_RUN = {"checkpoints", "tensorboard"}
"""Folders that only the run itself needs, to continue. They can have hundreds of gigabytes."""

Choose = Callable[[str], bool]


def stage(place: str | Path, *, most_bytes: int | None = None) -> Path:
    """Returns the path of a local, read-only file or folder with the content of `place`.

    Args:
        place: a path or a URL.
        most_bytes: the largest size of a remote location that is accepted.

    Raises:
        InputError: the location does not exist, is too large, or has an unknown scheme. A *local* path is not checked:
            its reader knows what must be there.
        CorruptFileError: a file arrived incomplete, or its sha256 differs from the list in the folder.
    """
    return _stage(str(place), lambda name: True, most_bytes) if is_remote(place) else local_path(place)


def stage_run(place: str | Path) -> Path:
    """Stages a run without its checkpoints, or a model folder.

    The `model` folder of a remote run is staged together with the run, because readers need its records of the training
    data.
    """
    if not is_remote(place):
        return local_path(place)
    folder, name = split_url(str(place))
    if name == "model" and open_store(folder).describe("run.yaml") is not None:
        return stage_run(folder) / name
    return _stage(str(place), lambda name: not _NOT_READ_FROM_A_RUN & set(name.split("/")[:-1]))


def stage_checkpoint(place: str | Path) -> Path:
    """Stages a checkpoint, RUN/checkpoints/STEP, together with the files directly in RUN."""
    if not is_remote(place):
        return local_path(place)
    checkpoints, step = split_url(str(place))
    run, name = split_url(checkpoints)
    if open_store(run).describe("run.yaml") is None:
        return stage(place)
    inside = f"{name}/{step}/"
    return _stage(run, lambda name: "/" not in name or name.startswith(inside)) / name / step


def find_input(run: Run, named: str) -> Path | None:
    """Finds a run or a model that a run file names: a remote one with `stage_run`, a local one with `Run.find`.

    Returns None if it does not exist.
    """
    if not is_remote(named):
        return run.find(named)
    with contextlib.suppress(InputError):
        return stage_run(named)
    return None


def location_of(path: str | Path) -> Location:
    """Returns the original location of a path inside a staged copy, and any other path unchanged.

    Runs record the location, because the copy exists only on this machine.
    """
    try:
        root = _places()
        whole = Path(path).absolute()
        key, _, *inside = whole.relative_to(root if whole.is_relative_to(root) else root.resolve()).parts
        return join((root / key / _LOCATION).read_text(encoding="utf-8"), *inside)
    except (ValueError, OSError, InputError):  # not in the cache
        return Location(str(path))


def _places() -> Path:
    cache = cache_folder()
    if cache is None:
        raise InputError("there is no home folder to keep a copy in", "set XDG_CACHE_HOME to a folder of yours")
    return cache / "places"


def _stage(place: str, choose: Choose, most_bytes: int | None = None) -> Path:
    place = place.rstrip("/")
    store, entries = _files_of(place, choose)
    total = sum(entry.size for entry in entries)
    if most_bytes is not None and total > most_bytes:
        raise InputError(f"{place} has {total:,} bytes, more than the {most_bytes:,} we read", "is it the right place?")
    content = [place, *([entry.name, entry.size, entry.version] for entry in entries)]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
    single = len(entries) == 1 and entries[0].name == ""
    folder = _places() / key
    copy = folder / (split_url(place)[1] or "copy")
    if not _is_whole(copy, entries):
        _require_space(folder, place, total)
        with atomic_folder(folder) as temporary:
            inside = temporary / copy.name
            _copy(store, place, entries, inside)
            if not single:
                _verify(place, inside)
            if _files_of(place, choose)[1] != entries:
                raise InputError(f"{place} changed while it was read", "try again when nothing writes there")
            (temporary / _LOCATION).write_text(place, encoding="utf-8")
        for entry in entries:
            (copy / entry.name).chmod(0o444)
    console.show_as(str(copy), place)
    return copy


def _files_of(place: str, choose: Choose) -> tuple[Store, list[Entry]]:
    """Returns the store of a location and its files, sorted by name. A single file has the name ""."""
    folder, name = split_url(place)
    beside = open_store(folder)
    entry = beside.describe(name) if name else None
    if entry is not None:
        return beside, [Entry("", entry.size, entry.version)]
    store = open_store(place)
    if not store.is_folder():
        raise InputError(f"{place} does not exist", "check the location")
    entries = []
    for entry in store.list():
        if not choose(entry.name):
            continue
        _require_plain_name(place, entry.name)
        entries.append(entry)
        if len(entries) > MOST_FILES:
            raise InputError(f"{place} has more than {MOST_FILES:,} files", "is it the right place?")
    return store, entries


def _require_plain_name(place: str, name: str) -> None:
    """Checks that a name stays inside the copy and is valid on this machine.

    Raises:
        InputError: the name is not usable.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or any(sign in name for sign in "\\:\0"):
        raise InputError(f"{place} has a file with an unusable name: {name!r}", "rename it there")


def _copy(store: Store, place: str, entries: Sequence[Entry], target: Path) -> None:
    if not entries:
        target.mkdir()
    with console.progress("bytes") as bar:
        task = bar.add_task(f"copying {place}", total=sum(entry.size for entry in entries))
        for entry in entries:
            path, copied = target / entry.name, 0
            path.parent.mkdir(parents=True, exist_ok=True)
            with store.open(entry.name or split_url(place)[1]) as stream, path.open("xb") as out:
                while block := stream.read(_BLOCK_BYTES):
                    out.write(block)
                    copied += len(block)
                    bar.advance(task, len(block))
            if copied != entry.size:
                where = join(place, entry.name) if entry.name else place
                raise CorruptFileError(f"{where}: {copied:,} of {entry.size:,} bytes arrived", "try again")


def _verify(place: str, copy: Path) -> None:
    """Verifies the checksums of a copy. An error names the location, because the copy is deleted."""
    try:
        verify_checksums(copy)
    except CorruptFileError as error:
        raise CorruptFileError(error.message.replace(str(copy), place), error.hint) from error


def _require_space(folder: Path, place: str, size: int) -> None:
    free = free_disk_bytes(folder)
    if free is not None and size > free:
        raise InputError(
            f"{place} has {size:,} bytes, and the disk of {folder.parent} has {free:,} left",
            "free some space, or set XDG_CACHE_HOME to a larger disk",
        )


def _is_whole(copy: Path, entries: Sequence[Entry]) -> bool:
    """Whether a finished copy still exists, with files of the right sizes."""
    try:
        return (copy.parent / _LOCATION).is_file() and all(
            (copy / entry.name).stat().st_size == entry.size for entry in entries
        )
    except OSError:
        return False

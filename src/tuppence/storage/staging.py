"""`stage` returns a local, read-only, verified copy of a location. Public functions call it, internal ones do not.

A local path is returned unchanged. A remote location is copied into the user's cache folder (`copies`), under a hash of
the location and of the name, size and version of every file. So an unchanged location is copied once, and a changed one
is copied again. The files of a copy are compared with the sha256 that the folder lists for them (`checksums`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tuppence.core import console
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.run import Run
from tuppence.core.temporary import remove
from tuppence.storage.checksums import verify_checksums
from tuppence.storage.copies import shared_copy
from tuppence.storage.location import is_remote, join, local_path, split_url
from tuppence.storage.schemes import open_store
from tuppence.storage.store import Entry, RemoteStore, Store

MOST_FILES = 100_000
COPIES = 3
"""Attempts at a copy from a remote store whose content arrives damaged: bits can be flipped on the way."""
_BLOCK_BYTES = 2**20
_RUN = Run(Path())
"""Gives the names of the files in a run."""
_NOT_READ_FROM_A_RUN = {_RUN.checkpoints.name, _RUN.tensorboard.name}
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
    if name == _RUN.model.name and _is_run(folder):
        return stage_run(folder) / name
    return _stage(str(place), lambda name: not _NOT_READ_FROM_A_RUN & set(name.split("/")[:-1]))


def stage_checkpoint(place: str | Path) -> Path:
    """Stages a checkpoint, RUN/checkpoints/STEP, together with the files directly in RUN."""
    if not is_remote(place):
        return local_path(place)
    checkpoints, step = split_url(str(place))
    run, name = split_url(checkpoints)
    if not _is_run(run):
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


def _is_run(folder: str) -> bool:
    return open_store(folder).describe(_RUN.run_file.name) is not None


def _stage(place: str, choose: Choose, most_bytes: int | None = None) -> Path:
    place = place.rstrip("/")
    store, entries = _files_of(place, choose)
    total = sum(entry.size for entry in entries)
    if most_bytes is not None and total > most_bytes:
        raise InputError(f"{place} has {total:,} bytes, more than the {most_bytes:,} we read", "is it the right place?")
    content = [place, *([entry.name, entry.size, entry.version] for entry in entries)]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]

    def make(copy: Path) -> None:
        for attempt in range(COPIES):
            try:
                _copy(store, place, entries, copy)
                if copy.is_dir():
                    _verify(place, copy)
                break
            except CorruptFileError as error:
                if attempt + 1 == COPIES or not isinstance(store, RemoteStore):
                    raise
                console.warn(f"{error.message}; it is copied again")
                remove(copy)
        if _files_of(place, choose)[1] != entries:
            raise InputError(f"{place} changed while it was read", "try again when nothing writes there")

    copy = shared_copy(place, key, total, is_whole=lambda path: _is_whole(path, entries), make=make)
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
        require_plain_name(place, entry.name)
        entries.append(entry)
        if len(entries) > MOST_FILES:
            raise InputError(f"{place} has more than {MOST_FILES:,} files", "is it the right place?")
    return store, entries


def require_plain_name(place: str, name: str) -> None:
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
            name = entry.name or split_url(place)[1]
            if isinstance(store, RemoteStore):
                store.download(name, path, on_bytes=lambda count: bar.advance(task, count))
                copied = path.stat().st_size
            else:
                with store.open(name) as stream, path.open("xb") as out:
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


def _is_whole(copy: Path, entries: Sequence[Entry]) -> bool:
    """Whether a copy exists, with files of the right sizes."""
    try:
        return copy.exists() and all((copy / entry.name).stat().st_size == entry.size for entry in entries)
    except OSError:
        return False

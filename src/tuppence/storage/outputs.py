"""`remote_output` lets a verb write to a remote location: it yields a local path, and copies what is written there.

    ~/.cache/tuppence/outputs/
      KEY/
        location    the remote location; locked while the verb runs
        NAME        the local file or folder

What exists at the location is copied here first, so that a verb finds its earlier result as it would on a disk: a run
continues, `data prepare` finds what it has done, and nothing is overwritten that would not be overwritten on a disk. If
the last upload fails, the local files are kept, and the error names them.

With several ranks (torchrun), rank 0 does all this; the ranks of a machine share the path.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tuppence.core import console
from tuppence.core.errors import Interrupted, TuppenceError
from tuppence.core.files import explain_disk_errors
from tuppence.core.locks import NoLocksError, lock_file
from tuppence.storage.aws_errors import AwsError
from tuppence.storage.copies import LOCATION, outputs
from tuppence.storage.location import scheme_of, split_url
from tuppence.storage.mirror import Mirror
from tuppence.storage.run_mirror import RunMirror
from tuppence.storage.schemes import SCHEMES, open_store
from tuppence.storage.store import RemoteStore

_mirrors: dict[Path, RunMirror] = {}


def mirror_of(path: str | Path) -> RunMirror | None:
    """Returns the mirror of a run folder in this process; None if the run is local, or on ranks other than 0."""
    return _mirrors.get(Path(path))


def can_be_written(place: str) -> bool:
    """Whether results can be written to a remote location."""
    return scheme_of(place) in SCHEMES and isinstance(open_store(place), RemoteStore)


@contextlib.contextmanager
def remote_output(place: str, *, is_run: bool = False, is_file: bool = False) -> Iterator[Path]:
    """Yields a local path that is copied to a remote location when the block ends, and beside it for a run.

    If the block raises, what it has written is copied too: files are complete or absent at every moment. After a
    signal, what was sent last is not read back, because little time is left.

    Args:
        place: the location; `can_be_written` is true for it.
        is_run: whether it is a run folder that a training verb writes.
        is_file: whether it is a file.

    Raises:
        AwsError: the location cannot be read or written.
        InputError: another process trains the run, or the disk has no room for what is there.
    """
    place = place.rstrip("/")
    folder, name = split_url(place)
    work = outputs() / f"{hashlib.sha256(place.encode()).hexdigest()[:24]}-{_owner()}"
    path = work / (name or "copy")
    console.show_as(str(path), place)
    if not _is_main():
        yield path
        return
    store = open_store(folder if is_file else place)
    assert isinstance(store, RemoteStore)
    release = _prepare(work, place)
    kept = False
    try:
        mirror: RunMirror | Mirror
        if is_run:
            path.mkdir()
            mirror = _mirrors[path] = RunMirror(path, store)
        else:
            mirror = Mirror(work if is_file else path, store, only=name if is_file else None)
        mirror.begin()
        try:
            yield path
        except BaseException as error:
            kept = not _sent_after_error(mirror, path, error)
            raise
        try:
            mirror.end()
        except (TuppenceError, OSError) as error:
            kept = True
            message = error.message if isinstance(error, TuppenceError) else str(error)
            raise AwsError(f"not everything was sent: {message}", _where(work, path)) from error
    finally:
        _mirrors.pop(path, None)
        with contextlib.suppress(OSError):
            (work / LOCATION).unlink()  # a folder without it is not removed as abandoned
        if not kept:
            shutil.rmtree(work, ignore_errors=True)
        release()


def _prepare(work: Path, place: str) -> Callable[[], None]:
    """Makes an empty folder, and locks it until the returned function is called."""
    with explain_disk_errors(outputs()):
        outputs().mkdir(parents=True, exist_ok=True)
        _remove_abandoned()
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        (work / LOCATION).write_text(place, encoding="utf-8")
    descriptor = None
    with contextlib.suppress(OSError, NoLocksError):
        descriptor = lock_file(work / LOCATION, shared=True)
    return lambda: None if descriptor is None else os.close(descriptor)


def _sent_after_error(mirror: RunMirror | Mirror, path: Path, error: BaseException) -> bool:
    """Sends what was written before an error. A failure is a warning here, because the error is told too."""
    at_once = isinstance(error, KeyboardInterrupt) or (isinstance(error, Interrupted) and error.at_once)
    try:
        mirror.end(send=path.exists() and not at_once, verify=not isinstance(error, Interrupted))
    except (TuppenceError, OSError) as failure:
        message = failure.message if isinstance(failure, TuppenceError) else str(failure)
        console.warn(f"not everything was sent: {message}; {_where(path.parent, path)}")
        return False
    return True


def _where(work: Path, path: Path) -> str:
    return f"the local files are in {work}, as {path.name}"


def _remove_abandoned() -> None:
    """Removes the folders of processes that were killed. Their runs continue from what is in the store."""
    for location in outputs().glob(f"*/{LOCATION}"):
        with contextlib.suppress(OSError, NoLocksError):
            descriptor = lock_file(location)
            if descriptor is not None:
                shutil.rmtree(location.parent, ignore_errors=True)
                os.close(descriptor)


def _owner() -> int:
    """The same number for all ranks of this machine, and for no other command."""
    return os.getppid() if _has_several_ranks() else os.getpid()


def _has_several_ranks() -> bool:
    return os.environ.get("WORLD_SIZE", "") not in ("", "1")


def _is_main() -> bool:
    return not _has_several_ranks() or os.environ.get("RANK", "0") == "0"

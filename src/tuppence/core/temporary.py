"""The hidden names under which files and folders are written before they get their own, and what killed writers left.

    .NAME.PID.tmp    being written by process PID, to become NAME
    .NAME.PID.old    what stood at NAME, moved aside while it is replaced (only where names cannot be exchanged)

Used by `core.files` and `core.folders`; whoever starts an attempt calls `remove_litter`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)\.(?P<kind>tmp|old)", re.DOTALL)
_LONGEST_NAME = 200
"""In bytes; most disks take 255, and the hidden name is longer."""

_in_use: set[Path] = set()
"""The temporary siblings that this process is writing at the moment."""


@contextlib.contextmanager
def temporary_sibling(path: Path) -> Iterator[Path]:
    """The hidden name beside `path` that this process writes before it renames; removed at the end if it is there.

    Whatever has that name already was left by a dead process that had our number, as the processes of a container
    do; it is removed first.
    """
    temporary = path.with_name(f".{_stem(path.name)}.{os.getpid()}.tmp")
    remove(temporary)
    _in_use.add(temporary)
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            remove(temporary)
        _in_use.discard(temporary)


def is_temporary(path: Path) -> bool:
    """Whether a path has such a name."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove(path: Path) -> None:
    """Removes a file, a link (not its target) or a folder with all it holds, if it is there.

    Raises:
        OSError: a file or link cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_litter(folder: Path, name: str | None = None, *, locked: bool = False) -> None:
    """Removes what writers that were killed left in a folder, and puts back what they had moved aside.

    A folder that was to be replaced (`.NAME.PID.old`) gets its name back where nothing has taken it. Files of
    processes that are alive stay. Never raises: litter that cannot be removed harms nobody.

    Args:
        name: only what was to become this file or folder; everything by default.
        locked: nobody else can be writing it, since we hold the lock: numbers of processes, which are given again and
            again, need not be asked.
    """
    with contextlib.suppress(OSError):
        for path, match in sorted(_litter(folder, name, locked), key=lambda found: -found[0].lstat().st_mtime):
            with contextlib.suppress(OSError):
                final = folder / (name or match["name"])
                if match["kind"] == "old" and path.is_dir() and not os.path.lexists(final):
                    path.rename(final)
                else:
                    remove(path)


def _litter(folder: Path, name: str | None, locked: bool) -> Iterator[tuple[Path, re.Match[str]]]:
    for path in list(folder.iterdir()):
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or path in _in_use or (name is not None and match["name"] != _stem(name)):
            continue
        if locked or not _is_another_alive(int(match["pid"])):
            yield path, match


def _is_another_alive(pid: int) -> bool:
    """Whether a process other than this one has the number. Windows cannot be asked: there all are taken for alive."""
    if pid == os.getpid():
        return False
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def is_aside_of(path: Path, final: Path) -> bool:
    """Whether `path` is what a writer moved aside to replace the folder `final`."""
    match = _TEMPORARY.fullmatch(path.name)
    return match is not None and match["kind"] == "old" and match["name"] == _stem(final.name)


def _stem(name: str) -> str:
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else hashlib.sha256(encoded).hexdigest()

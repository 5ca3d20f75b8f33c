"""Hidden names for files and folders that are still being written, and removal of those that killed processes left.

    .NAME.PID.tmp    process PID is writing it, and will rename it to NAME
    .NAME.PID.old    the previous NAME while it is replaced (only if the system cannot exchange two names)

Used by `core.files` and `core.folders`. `remove_litter` is called at the start of every attempt.
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
    """Yields the hidden name beside `path` for writing. At the end it is removed if it still exists.

    If the name already exists, a dead process with the same id left it, which is common in containers. It is removed
    first.
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
    """Whether a path has a hidden name of this module."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove(path: Path) -> None:
    """Removes a file, a link (not its target) or a folder with its content, if it exists.

    Raises:
        OSError: a file or link cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_litter(folder: Path, name: str | None = None, *, locked: bool = False) -> None:
    """Removes hidden files that killed processes left in a folder, and restores folders that they had renamed.

    A previous folder (`.NAME.PID.old`) gets its name back if NAME does not exist. Files of running processes are kept.
    Never raises: files that cannot be removed do no harm.

    Args:
        name: the final name of the files and folders to remove; by default any name.
        locked: whether we hold the lock, so that no other process can be writing. Process ids are then not checked;
            they are unreliable because the system reuses them.
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
    """Whether another process has this id. On Windows always True for other ids, because the check is not possible."""
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
    """Whether `path` is a previous version of the folder `final`, renamed by a writer."""
    match = _TEMPORARY.fullmatch(path.name)
    return match is not None and match["kind"] == "old" and match["name"] == _stem(final.name)


def _stem(name: str) -> str:
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else hashlib.sha256(encoded).hexdigest()

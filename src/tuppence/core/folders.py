"""Folders that are complete or absent: models, adapters and checkpoints.

A folder is written under a hidden name, flushed, and exchanged with the one it replaces. Linux exchanges two names in
one step (`renameat2`); elsewhere, and on disks that cannot, the old folder is moved aside first. A kill between those
two renames leaves it as `.NAME.PID.old`: `standing` finds it there for readers, and `temporary.remove_litter` puts it
back when the next attempt begins.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tuppence.core import files
from tuppence.core.temporary import is_aside_of, remove, remove_litter, temporary_sibling

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # fcntl.h, linux/fs.h


@contextlib.contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Gives an empty folder to fill, which becomes `final` when the block ends well, and is removed when it does not.

    Where `final` is a link, the link is replaced, and what it points to is left alone.

    Raises:
        OutOfSpaceError: the disk is full; what stood at `final` is untouched.
        InputError: the place cannot be written.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "model"
        >>> with atomic_folder(place) as folder:
        ...     _ = (folder / "config.json").write_text("{}")
        >>> [path.name for path in place.iterdir()]
        ['config.json']
    """
    with files.explain_disk_errors(final):
        remove_litter(final.parent, final.name)
        with temporary_sibling(final) as temporary:
            temporary.mkdir(parents=True)
            yield temporary
            _commit(temporary, final)


def _commit(temporary: Path, final: Path) -> None:
    """Flushes a folder and gives it its final name.

    Its files get the permissions that files get here (umask); safetensors makes its own for the owner alone.
    """
    permissions = temporary.stat().st_mode & 0o666  # a new folder's are the umask's
    for path in temporary.rglob("*"):
        if path.is_file():
            files.set_permissions(path, permissions)
            files.fsync_file(path)
    files.fsync_folder(temporary)
    if not os.path.lexists(final):
        temporary.replace(final)
    elif not _exchange(temporary, final):
        aside = temporary.with_suffix(".old")
        final.replace(aside)
        try:
            temporary.replace(final)
        except OSError:
            aside.replace(final)
            raise
        files.fsync_folder(final.parent)
        remove(aside)
        return
    files.fsync_folder(final.parent)  # `temporary` is now the replaced folder, and is removed


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two names in one step; whether this system and this disk can."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # another C library, or an old one
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def standing(folder: Path) -> Path:
    """`folder`, or the newest one that a killed writer moved aside and did not replace, where nothing is there."""
    if not os.path.lexists(folder):
        with contextlib.suppress(OSError):
            aside = [path for path in folder.parent.glob(".*.old") if is_aside_of(path, folder)]
            return max(aside, key=lambda path: path.stat().st_mtime, default=folder)
    return folder

"""Writes folders atomically: models, adapters and checkpoints are complete or absent.

A folder is written under a hidden name, flushed, and exchanged with the folder that it replaces. Linux exchanges two
names in one step (`renameat2`). On other systems, and on disks without that call, the old folder is renamed first. If
the process is killed between the two renames, the old folder has the name `.NAME.PID.old`. `standing` finds it under
that name, and `temporary.remove_litter` restores its name when the next attempt begins.
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
    """Yields an empty folder, which becomes `final` if the block succeeds, and is removed if the block raises.

    If `final` is a link, the link is replaced, and its target does not change.

    Raises:
        OutOfSpaceError: the disk is full. The previous content of `final` is unchanged.
        InputError: `final` cannot be written.

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
    """Flushes a folder and renames it to its final name.

    All files get the permissions that the umask allows: safetensors creates files that only the owner can read.
    """
    permissions = temporary.stat().st_mode & 0o666  # a new folder has those of the umask
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
    """Exchanges two names in one step. Returns False if the system or the disk does not support it."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library without this function
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def standing(folder: Path) -> Path:
    """Returns `folder` if it exists, else the newest folder that a killed writer moved aside, else `folder`."""
    if not os.path.lexists(folder):
        with contextlib.suppress(OSError):
            aside = [path for path in folder.parent.glob(".*.old") if is_aside_of(path, folder)]
            return max(aside, key=lambda path: path.stat().st_mtime, default=folder)
    return folder

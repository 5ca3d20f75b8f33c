"""Locks a folder, so that two processes never write to it at the same time. Used by runs and by `data prepare`.

The lock is on the file `.lock` in the folder, which exists while the lock is held, or after its holder was killed. A
lock on the folder itself would need no file, but NFS locks only files that are open for writing. The system releases
the lock when the holder ends, also after a crash.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from tuppence.core.console import warn
from tuppence.core.errors import InputError
from tuppence.core.files import explain_disk_errors

NAME = ".lock"

_ATTEMPTS = 10
"""If the holder removes the file after we open it and before we lock it, we open it again. The number of attempts is
limited, because some network drives return a different inode number on every access."""

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # EACCES: network disks that lock by fcntl


def lock_folder(folder: Path, doing: str) -> Callable[[], None]:
    """Locks a folder that exists, and returns a function that releases the lock.

    If the disk does not support locks, a warning is printed. On Windows nothing is locked.

    Args:
        doing: what the holder does in the folder, for the error message of a second process: "training".

    Raises:
        InputError: another process holds the lock, or the folder cannot be written.
    """
    try:
        import fcntl
    except ImportError:
        return lambda: None
    path = folder / NAME
    for attempts_left in reversed(range(_ATTEMPTS)):
        with explain_disk_errors(folder):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                os.close(descriptor)
                raise InputError(
                    f"another process is {doing} {folder}", "wait for it, or choose another --out"
                ) from error
            warn(f"the disk of {folder} has no locks: make sure that no other process is {doing} it")
            break
        if attempts_left == 0 or _is_at(path, descriptor):
            break
        os.close(descriptor)
    return lambda: _release(path, descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _release(path: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)  # before the release: afterwards the file can belong to another process
    os.close(descriptor)

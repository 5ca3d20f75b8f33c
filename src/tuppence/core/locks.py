"""A lock on a folder, so that two processes never write it at once. Used by runs and by `data prepare`.

The lock is on a file in the folder, `.lock`, which is there only while it is held or after its holder was killed. A
folder itself would leave no trace, but NFS locks only what is open for writing. The system releases the lock when the
holder dies, however that happens.
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
"""The file that we open may be removed by its holder before we lock it: then it is opened again. Some network drives
give a file another number on every access, so the attempts are limited."""

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # EACCES: network disks that lock by fcntl


def lock_folder(folder: Path, doing: str) -> Callable[[], None]:
    """Locks a folder that exists, and returns a function that releases the lock.

    Where the disk has no locks, a warning says so; Windows has other ones, and no lock is taken.

    Args:
        doing: what the holder does with it, for the error of the second process: "training".

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
        path.unlink(missing_ok=True)  # before the lock goes: after it, the file may be another process's
    os.close(descriptor)

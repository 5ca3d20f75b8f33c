"""Locks of files and folders between processes.

`lock_folder` keeps two processes from writing to a folder at the same time. Runs and `data prepare` use it. The lock is
on the file `.lock` in the folder, which exists while the lock is held, or after its holder was killed. A lock on the
folder itself would need no file, but NFS locks only files that are open for writing. The system releases the lock when
the holder ends, also after a crash.
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


class NoLocksError(Exception):
    """The system or the disk does not support locks."""


def lock_folder(folder: Path, doing: str) -> Callable[[], None]:
    """Locks a folder that exists, and returns a function that releases the lock.

    If the disk does not support locks, a warning is printed. On Windows nothing is locked.

    Args:
        doing: what the holder does in the folder, for the error message of a second process: "training".

    Raises:
        InputError: another process holds the lock, or the folder cannot be written.
    """
    if os.name != "posix":
        return lambda: None
    path = folder / NAME
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            with explain_disk_errors(folder):
                descriptor = lock_file(path, create=True)
        except NoLocksError:
            warn(f"the disk of {folder} has no locks: make sure that no other process is {doing} it")
            return lambda: _release(path, None)
        if descriptor is None:
            raise InputError(f"another process is {doing} {folder}", "wait for it, or choose another --out")
        if attempts_left == 0 or is_locked_at(path, descriptor):
            break
        os.close(descriptor)
    return lambda: _release(path, descriptor)


def lock_file(path: Path, *, create: bool = False, shared: bool = False, wait: bool = False) -> int | None:
    """Locks a file until the returned descriptor is closed or the process ends.

    Args:
        create: whether to create the file if it does not exist.
        shared: whether other processes can have a shared lock on the file at the same time.
        wait: whether to wait while another process holds the lock.

    Returns:
        The descriptor of the open file; None if another process holds the lock and `wait` is False.

    Raises:
        OSError: the file cannot be opened.
        NoLocksError: the system or the disk does not support locks.
    """
    try:
        import fcntl
    except ImportError as error:
        raise NoLocksError from error
    # NFS grants exclusive locks on files that are open for writing, and shared locks on files that are open for reading
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        os.close(descriptor)
        if error.errno in _HELD:
            return None
        raise NoLocksError from error
    except BaseException:  # Ctrl-C while it waits
        os.close(descriptor)
        raise
    return descriptor


def is_locked_at(path: Path, descriptor: int) -> bool:
    """Whether the locked file is still the one at `path`."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _release(path: Path, descriptor: int | None) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)  # before the release: afterwards the file can belong to another process
    if descriptor is not None:
        os.close(descriptor)

"""Limits for a process that runs a learner's code: memory, CPU time, network, other programs, file size.

They protect a person from their own mistakes: an endless loop, a tensor of 10 GB. They do not make hostile code safe:
the process has the rights of its user.

- Memory (Linux) and CPU time are limits of the system.
- Network: a network namespace without interfaces, where the system allows one; else an audit hook refuses connections
  that Python code opens. `without_network` returns which.
- Other programs are refused by the audit hook.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import Any, Literal

Network = Literal["namespace", "audit hook"]

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # sched.h
_LARGEST_FILE = 64 * 2**20
_CONNECTIONS = (
    *("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
    *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
)
_PROGRAMS = ("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "subprocess.Popen")


class NotAllowedError(BaseException):
    """The code did what an exercise may not do. It is a BaseException, so that no `except Exception` hides it."""


def limit_memory(more_bytes: int) -> None:
    """Limits this process to the memory that it has now and `more_bytes`. Has an effect on Linux only."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        now = int(status.partition("VmData:")[2].split()[0]) * 1024
        _set(resource.RLIMIT_DATA, now + more_bytes)


def limit_cpu(more_seconds: float) -> None:
    """Ends this process with SIGXCPU after `more_seconds` of CPU time from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _set(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + more_seconds) + 1)


def limit_files() -> None:
    """Limits the size of a file, and writes no memory dump of a crash."""
    _set(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    _set(resource.RLIMIT_CORE, 0)


def _set(limit: int, soft: int) -> None:
    hard = resource.getrlimit(limit)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(limit, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def without_network() -> Network:
    """Takes the network from this process, which must have one thread."""
    sys.addaudithook(_refuse)
    return "namespace" if _leave_network() else "audit hook"


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTIONS:
        raise NotAllowedError("opens a network connection; exercises run without a network")
    if event in _PROGRAMS:
        raise NotAllowedError("starts another process; exercises run in one process")


def _leave_network() -> bool:
    """Moves this process to a new network namespace (unshare(2)), for users other than root in a new user namespace."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        unshare = ctypes.CDLL(None).unshare
    except (OSError, AttributeError):
        return False
    if unshare(_CLONE_NEWNET) == 0:
        return True
    user, group = os.getuid(), os.getgid()
    if unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with contextlib.suppress(OSError):  # keeps the numbers of user and group; without it they read 65534
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    return True

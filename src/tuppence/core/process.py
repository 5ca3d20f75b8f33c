"""The start and the end of this process, and the boot id of its machine. The cost of a run is computed from them."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

_imported = time.monotonic()
_LONGEST_START_SECONDS = 30.0
"""If the process started longer before the import, it was another program first, such as a shell script with `exec`."""


def process_began() -> float:
    """Returns the start of this process in seconds of `time.monotonic`, or the time of the import if it is unknown.

    Linux counts a process's start in clock ticks since boot (proc(5), field 22 of /proc/PID/stat).

    Example:
        >>> process_began() <= time.monotonic()
        True
    """
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
        began = time.monotonic() - age
        if 0 <= _imported - began < _LONGEST_START_SECONDS:
            return began
    return _imported


def boot_id() -> str | None:
    """Returns the id of the present boot of this machine; None if the system has none.

    Linux draws a random id at each boot (random(4), /proc/sys/kernel/random/boot_id). Containers have the id of their
    host.
    """
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None


def exit_process(code: int) -> NoReturn:
    """Ends this process as `sys.exit` in the main thread would, but without freeing every object first.

    Threads are joined and exit functions are called, as in the children of `multiprocessing`. To free the objects of
    torch and its compiler takes 1 to 3 seconds on a busy machine, which would be on the bill of a run.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or its reader is gone
            stream.flush()
    os._exit(code)

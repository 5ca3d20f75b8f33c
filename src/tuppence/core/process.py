"""The start time of this process, and the boot id of its machine. The cost of a run is computed from both."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

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

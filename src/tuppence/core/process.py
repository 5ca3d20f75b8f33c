"""When this process began, and which start of which machine it runs on: what an hour is charged from, and to."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_imported = time.monotonic()
_LONGEST_START_SECONDS = 30.0
"""A process that is older was something else before: a shell script that ended in `exec`."""


def process_began() -> float:
    """The start of this process in seconds of `time.monotonic`; the import of this module where that is not known.

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
    """A name of this start of this machine; None where the system has none.

    Linux draws one at each boot (random(4), /proc/sys/kernel/random/boot_id); containers have their machine's.
    """
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None

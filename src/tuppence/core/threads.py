"""Sets how long idle OpenMP threads spin before they sleep: long on a quiet machine, briefly on a shared one.

On Linux torch computes with libgomp, whose threads meet at the end of every operation. A thread that arrives early
repeats a check 300,000 times before it sleeps. This takes some milliseconds. On a quiet machine it is the fastest way
to wait. If another program occupies the core of the last thread, the time is lost: two small trainings on two cores
slow each other down many times over.

libgomp reads its environment variables only once, but it uses a second, short count (100) for a process with more
OpenMP threads than cores (`gomp_managed_threads` and `gomp_throttled_spin_count_var` in libgomp's
config/linux/wait.h). So `share_cores` measures the load a few times a second. While other programs use the cores, it
keeps additional teams of sleeping OpenMP threads, so that the process has more threads than cores. The number of
computing threads never changes, so results stay identical to the bit. Measurements are in benchmarks/LOG.md.

Not covered: other OpenMP libraries (macOS, Intel).
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

LOOK_SECONDS = 0.4
"""Time between two measurements of the load."""
OTHERS_CORES = 0.2
"""The cores count as shared if other programs use more than this number of cores."""
LONGEST_LOOK_SECONDS = 2.0
"""A longer measurement is dropped: the process was stopped meanwhile (Ctrl-Z, a suspended laptop), and the load of that
time says nothing about the next steps."""
QUIET_LOOKS = 5
"""Number of quiet measurements in a row before threads wait long again."""

_WAITS_SET_BY_PERSON = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")

_sharing: CoreSharing | None = None
_starting = threading.Lock()


def share_cores(environ: Mapping[str, str] | None = None) -> None:
    """Makes threads wait briefly while other programs use the cores, unless the user has set how threads wait.

    Later calls do nothing. torch must already be imported.

    Args:
        environ: the environment variables; this process's own by default.
    """
    global _sharing
    environ = os.environ if environ is None else environ
    if not sys.platform.startswith("linux") or any(name in environ for name in _WAITS_SET_BY_PERSON):
        return
    with _starting:
        if _sharing is None or _sharing.process != os.getpid():  # a forked child has none of its parent's threads
            _sharing = CoreSharing(others_cores=OthersLoad())
            atexit.register(_sharing.stop)


class OthersLoad:
    """Measures how many of this process's cores other programs have used since the last call."""

    def __init__(self, proc_stat: Path = Path("/proc/stat")) -> None:
        self._proc_stat = proc_stat
        self._before = self._read()

    def __call__(self) -> float | None:
        """Returns the number of cores; None if the measurement took longer than `LONGEST_LOOK_SECONDS`."""
        now = self._read()
        elapsed, busy, own = (after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        if elapsed > LONGEST_LOOK_SECONDS:
            return None
        return max(0.0, busy - own) / elapsed if elapsed > 0 else 0.0

    def _read(self) -> tuple[float, float, float]:
        """Returns elapsed seconds, busy seconds summed over all cores, and CPU seconds of this process."""
        times = os.times()
        mine = os.sched_getaffinity(0)
        idle = total = 0.0
        for line in self._proc_stat.read_text(encoding="ascii").splitlines():
            name, *numbers = line.split()
            if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in mine:
                # user, nice, system, idle, iowait, irq, softirq; not steal (other machines) or guest (in user already)
                ticks = [int(number) / os.sysconf("SC_CLK_TCK") for number in numbers[:7]]
                idle += ticks[3] + ticks[4]
                total += sum(ticks)
        return times.elapsed, total - idle, times.user + times.system


class CoreSharing:
    """Watches the load, and keeps additional teams of threads while other programs use the cores.

    Args:
        others_cores: returns how many cores other programs have used since the last call; None if it is not known.

    Attributes:
        process: id of the process that created this object.
        is_brief: whether threads wait briefly now.
    """

    def __init__(self, others_cores: Callable[[], float | None]) -> None:
        self.process, self.is_brief = os.getpid(), False
        self._others_cores, self._quiet_looks = others_cores, 0
        self._stop, self._release = threading.Event(), threading.Event()
        self._holders: list[threading.Thread] = []
        self._watcher = threading.Thread(target=self._watch, name="core sharing", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Ends the watcher and all additional threads."""
        if self.process == os.getpid():
            self._stop.set()
            self._watcher.join()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                cores = self._others_cores()
            except (OSError, ValueError, IndexError):  # /proc/stat is missing or has another format
                break
            if cores is None:
                continue
            busy = cores > OTHERS_CORES
            self._quiet_looks = 0 if busy else self._quiet_looks + 1
            if busy and not self.is_brief:
                self._wait_briefly()
            elif self.is_brief and self._quiet_looks >= QUIET_LOOKS:
                self._wait_long()
        self._wait_long()

    def _wait_briefly(self) -> None:
        self._release.clear()
        self._holders = [threading.Thread(target=self._hold, daemon=True) for _ in range(_teams_needed())]
        for holder in self._holders:
            holder.start()
        self.is_brief = True

    def _wait_long(self) -> None:
        self._release.set()
        for holder in self._holders:
            holder.join()  # libgomp ends a team when the thread that started it ends
        self._holders, self.is_brief = [], False

    def _hold(self) -> None:
        import torch

        torch.zeros(1 << 18).add_(1.0)  # large enough for several threads, so libgomp creates a team
        self._release.wait()


def _teams_needed() -> int:
    """Returns the number of additional teams that gives more threads than cores.

    libgomp does not count the first thread of an additional team.
    """
    import torch

    threads, cores = torch.get_num_threads(), len(os.sched_getaffinity(0))
    return 0 if threads < 2 else max(0, (cores - threads) // (threads - 1) + 1)

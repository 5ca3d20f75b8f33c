"""How threads that have nothing to do wait: long on a machine of one's own, briefly where other programs use its cores.

On Linux torch computes with libgomp, whose threads meet at the end of every operation. A thread that arrives first
repeats a check 300,000 times before it sleeps, some milliseconds. On a quiet machine that is the fastest way to wait.
Where another program has the core of the thread that is waited for, the time is lost: two small trainings on two cores
slow each other down many times over.

libgomp reads its environment variables once, but it has a second, short count (100) for a process with more OpenMP
threads than cores (`gomp_managed_threads` and `gomp_throttled_spin_count_var` in libgomp's config/linux/wait.h). So
`share_cores` looks at the load a few times a second. While other programs use the cores, it keeps a further team of
OpenMP threads, which sleep; the count of threads then exceeds that of the cores. The number of threads that compute is
always the same, and so is every bit of a result. What it brings is in benchmarks/LOG.md.

Not covered: other OpenMP libraries (macOS, Intel's), which are left as they are.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

LOOK_SECONDS = 0.4
"""Between two looks at the load."""
OTHERS_CORES = 0.2
"""Other programs use the cores where they take so many of them."""
QUIET_LOOKS = 5
"""Quiet looks in a row before threads wait long again."""

_WAITS_SET_BY_PERSON = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")

_sharing: CoreSharing | None = None
_starting = threading.Lock()


def share_cores(environ: Mapping[str, str] | None = None) -> None:
    """Lets this process give way to others from now on, unless the person has said how threads wait.

    Later calls do nothing. torch must have been imported.

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
    """How many cores other programs have used since the last call, of those that this process may use."""

    def __init__(self, proc_stat: Path = Path("/proc/stat")) -> None:
        self._proc_stat = proc_stat
        self._before = self._read()

    def __call__(self) -> float:
        now = self._read()
        elapsed, busy, own = (after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        return max(0.0, busy - own) / elapsed if elapsed > 0 else 0.0

    def _read(self) -> tuple[float, float, float]:
        """Seconds of one core, busy seconds of all cores, and this process's own."""
        times = os.times()
        mine = os.sched_getaffinity(0)
        idle = total = 0.0
        for line in self._proc_stat.read_text(encoding="ascii").splitlines():
            name, *numbers = line.split()
            if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in mine:
                # user, nice, system, idle, iowait, irq, softirq; steal is another machine's and guest counts twice
                ticks = [int(number) / os.sysconf("SC_CLK_TCK") for number in numbers[:7]]
                idle += ticks[3] + ticks[4]
                total += sum(ticks)
        return times.elapsed, total - idle, times.user + times.system


class CoreSharing:
    """Watches the load and keeps further teams of threads while others use the cores.

    Args:
        others_cores: how many cores other programs have used since it was last called.

    Attributes:
        process: the one that it works for.
        is_brief: whether threads wait briefly now.
    """

    def __init__(self, others_cores: Callable[[], float]) -> None:
        self.process, self.is_brief = os.getpid(), False
        self._others_cores, self._quiet_looks = others_cores, 0
        self._stop, self._release = threading.Event(), threading.Event()
        self._holders: list[threading.Thread] = []
        self._watcher = threading.Thread(target=self._watch, name="core sharing", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Ends its threads."""
        if self.process == os.getpid():
            self._stop.set()
            self._watcher.join()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                busy = self._others_cores() > OTHERS_CORES
            except (OSError, ValueError, IndexError):  # no /proc/stat, or another one
                break
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
            holder.join()  # libgomp ends a team with the thread that it belongs to
        self._holders, self.is_brief = [], False

    def _hold(self) -> None:
        import torch

        torch.zeros(1 << 18).add_(1.0)  # large enough to be divided among threads: the team is made
        self._release.wait()


def _teams_needed() -> int:
    """Further teams until there are more threads than cores. The first thread of a further team is not counted."""
    import torch

    threads, cores = torch.get_num_threads(), len(os.sched_getaffinity(0))
    return 0 if threads < 2 else max(0, (cores - threads) // (threads - 1) + 1)

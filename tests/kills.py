"""Ends a real process at random moments of its work, again and again, whatever the speed of the machine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.fork_server import ForkedCommand

TWO_THREADS = {**os.environ, "OMP_NUM_THREADS": "2"}  # sums that are divided must come out the same


def kill_until_done(
    start: Callable[[], ForkedCommand],
    out: Path,
    seed: int,
    kills: int,
    *,
    progress: Callable[[Path], int],
    signals: Sequence[signal.Signals] = (signal.SIGKILL,),
    patience: tuple[int, int] = (1, 10),
) -> None:
    """Ends a command `kills` times, each time soon after `progress(out)` grew by some units, then lets it finish.

    How many units is drawn from the two ends of `patience`. If an attempt is over before its signal is sent, the work
    begins anew in an empty folder: what is in `out` at the end was killed at least once.

    Args:
        start: starts the command.
    """
    chance, hits = random.Random(seed), 0
    for _ in range(10 * kills):
        process = start()
        # a run cuts back what it repeats when it begins: growth counts from the lowest that was seen
        lowest, wanted = progress(out), chance.randint(*patience)
        while process.poll() is None and (seen := progress(out)) - lowest < wanted:
            lowest = min(lowest, seen)
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(number := chance.choice(signals))
        _, errors = process.communicate()
        if process.returncode == 0:
            shutil.rmtree(out)
            continue
        assert process.returncode in (-number, 128 + number), errors
        hits += 1
        if hits == kills:
            break
    assert hits == kills, f"only {hits} of {10 * kills} attempts lasted long enough to be killed"
    last = start()
    _, errors = last.communicate()
    assert last.returncode == 0, errors


def logged_rows(run: Path) -> int:
    """How many rows a run's metrics.jsonl has: the `progress` of training."""
    log = run / "metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0

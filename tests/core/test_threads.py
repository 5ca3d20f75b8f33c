"""Waiting threads sleep early while other programs use the cores, unless the user has set how they wait."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuppence.core import threads
from tuppence.core.threads import LOOK_SECONDS, QUIET_LOOKS, CoreSharing, OthersLoad, share_cores

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libgomp is torch's OpenMP on Linux")

STEPS = """
import sys, time
import torch
from tuppence.core.threads import CoreSharing

load = [0.0]
sharing = CoreSharing(lambda: load[0])
torch.manual_seed(0)
x, w = torch.randn(512, 256), torch.randn(256, 256) / 16
sums = []
for load[0], brief in ((0.0, False), (1.0, True), (0.0, False)):
    deadline = time.monotonic() + 60
    while sharing.is_brief is not brief and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sharing.is_brief is brief
    y = x
    for _ in range(8):
        y = torch.nn.functional.gelu(y @ w)
    sums.append(y)
    print(int(open("/proc/self/status").read().split("Threads:")[1].split()[0]))
assert torch.equal(sums[0], sums[1]) and torch.equal(sums[0], sums[2])
sharing.stop()
"""


def test_additional_threads_follow_the_load_and_results_keep_their_bits() -> None:
    """Whether libgomp then waits briefly is what benchmarks/busy.py measures."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core has no thread that waits for another")
    environment = {**os.environ, "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    done = subprocess.run([sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    quiet, busy, quiet_again = map(int, done.stdout.split())
    assert busy >= quiet + 2  # the thread that holds the team, and at least one more
    assert quiet_again == quiet


def test_waits_are_brief_after_one_busy_measurement_and_long_after_several_quiet_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes: list[tuple[str, int]] = []
    looks = [0.0] * 3 + [0.5] + [0.0] * (QUIET_LOOKS - 1) + [0.5] + [0.0] * (QUIET_LOOKS + 2)
    seen = iter(enumerate(looks))
    at = [0]

    def others() -> float:
        at[0], load = next(seen, (len(looks), 0.0))
        return load

    class Noted(CoreSharing):
        def _wait_briefly(self) -> None:
            self.is_brief = True
            changes.append(("brief", at[0]))

        def _wait_long(self) -> None:
            self.is_brief = False
            changes.append(("long", at[0]))

    monkeypatch.setattr(threads, "LOOK_SECONDS", 0.001)
    sharing = Noted(others)
    while at[0] < len(looks):
        time.sleep(0.01)
    sharing.stop()
    second = 3 + QUIET_LOOKS
    assert changes[:2] == [("brief", 3), ("long", second + QUIET_LOOKS)]


def test_the_load_of_others_is_what_all_processes_use_without_this_one(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    cores = sorted(os.sched_getaffinity(0))
    tick = os.sysconf("SC_CLK_TCK")

    def write(busy_seconds: float) -> None:
        busy = f"cpu{cores[0]} {round(busy_seconds * tick)} 0 0 500 0 0 0 9999 0 0\n"
        stat.write_text("cpu 1 2 3 4 5 6 7 8 9 10\n" + busy + "cpu9999 99999 0 0 0 0 0 0 0 0 0\nintr 5\n")

    write(10.0)
    load = OthersLoad(stat)
    began = time.monotonic()
    time.sleep(0.5)
    write(11.0)
    assert load() == pytest.approx(1.0 / (time.monotonic() - began), rel=0.3)
    time.sleep(0.1)
    assert load() == 0.0


def test_a_load_measured_while_the_process_was_stopped_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LONGEST_LOOK_SECONDS", 0.1)
    load = OthersLoad()
    time.sleep(0.3)
    assert load() is None
    assert load() is not None


def test_a_dropped_measurement_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LOOK_SECONDS", 0.001)
    asked = [0]

    def unknown_after_one_busy_look() -> float | None:
        asked[0] += 1
        return 1.0 if asked[0] == 1 else None

    sharing = CoreSharing(unknown_after_one_busy_look)
    while asked[0] < 4 * QUIET_LOOKS:
        time.sleep(0.01)
    was_brief = sharing.is_brief
    sharing.stop()
    assert was_brief


@pytest.mark.parametrize("given", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}])
def test_settings_of_the_user_are_kept(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_sharing", None)
    share_cores(given)
    assert threads._sharing is None


def test_a_second_call_starts_no_second_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_sharing", None)
    share_cores({})
    first = threads._sharing
    share_cores({})
    assert first is not None
    assert threads._sharing is first
    first.stop()


def test_no_proc_stat_ends_the_watcher_quietly() -> None:
    def missing() -> float:
        raise FileNotFoundError

    sharing = CoreSharing(missing)
    time.sleep(3 * LOOK_SECONDS)
    assert not sharing._watcher.is_alive()
    sharing.stop()

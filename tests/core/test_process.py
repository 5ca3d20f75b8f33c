"""The cost of a run counts from the start of its process; the end of the process is quick."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuppence.core import process

AGE = """
import time
time.sleep(1)
from tuppence.core.process import process_began
print(time.monotonic() - process_began())
"""
ON_LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@ON_LINUX
def test_time_before_the_first_import_counts() -> None:
    began = time.monotonic()
    told = subprocess.run([sys.executable, "-c", AGE], capture_output=True, text=True, check=True, timeout=60)
    assert 1.0 <= float(told.stdout) <= time.monotonic() - began + 0.02  # a clock tick


@ON_LINUX
def test_a_process_that_ran_another_program_before_counts_from_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_LONGEST_START_SECONDS", 0.0)
    assert process.process_began() == process._imported


def test_the_boot_is_the_same_for_two_processes() -> None:
    line = "from tuppence.core.process import boot_id; print(boot_id())"
    told = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == str(process.boot_id())


EXIT = """
import atexit, sys, threading, time
from tuppence.core.process import exit_process

class Slow:
    def __del__(self):
        print("freed")

slow = Slow()
atexit.register(print, "exit function")
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
print("main", end=" ")
exit_process(7)
"""


def test_the_process_exits_after_threads_exit_functions_and_output_without_freeing_objects() -> None:
    told = subprocess.run([sys.executable, "-c", EXIT], capture_output=True, text=True, timeout=60)
    assert told.returncode == 7
    assert told.stdout.split() == ["main", "thread", "exit", "function"]
    assert told.stderr == ""

"""Fixtures every room's tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.memory_store import memory as memory

# Two test processes run side by side, and models here are tiny: more threads would only get into each other's way.
# Subprocesses inherit it; a test that needs two threads says so.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A script's background jobs begin with SIGINT ignored, and their children inherit that: `make test &` would wait
# forever for a Ctrl-C that never comes.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("TUPPENCE_SHARED_DATA", ROOT.parent / "shared" / "data"))

settings.register_profile("busy", deadline=None)  # a slow machine is not a wrong answer
settings.load_profile("busy")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """No bytes in a test's name: the two processes must find the same names, and packed bytes hold the time."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data beside the checkout; the test is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no shared data beside the checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tuppence() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command line in a process of its own: `tuppence("doctor", "--json")`."""

    def run(*arguments: object, timeout: float = 300, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tuppence", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            **options,  # type: ignore[call-overload]
        )

    return run

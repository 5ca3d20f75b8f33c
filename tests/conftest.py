"""Fixtures that the tests of several packages share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from tests.browser import browser as browser
from tests.fork_server import ForkedCommand, ForkServers
from tests.memory_store import memory as memory
from tests.s3_servers import ministack as ministack
from tests.s3_servers import moto as moto
from tests.s3_servers import moto_s3 as moto_s3
from tests.s3_servers import s3 as s3

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that both processes end at about the same time."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data beside the checkout; the test is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no shared data beside the checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def fork_servers() -> Iterator[ForkServers]:
    servers = ForkServers()
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def start_tuppence(fork_servers: ForkServers) -> Callable[..., ForkedCommand]:
    """Starts the real command line and does not wait for it: `start_tuppence("pretrain", …, env=TWO_THREADS)`."""

    def start(*arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> ForkedCommand:
        server = fork_servers.of(env)
        assert server is not None
        return server.start([str(argument) for argument in arguments], cwd=cwd, env=env)

    return start


@pytest.fixture(scope="session")
def tuppence(fork_servers: ForkServers) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command line in a process of its own: `tuppence("doctor", "--json")`.

    It is forked from one that has imported torch, unless `env` changes what Python or a library reads at its start.
    """

    def run(
        *arguments: object,
        timeout: float = 300,
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        command = [sys.executable, "-m", "tuppence", *words]
        server = fork_servers.of(env)
        if server is None:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=timeout, input=input, cwd=cwd, env=env
            )
        started = server.start(words, input=input, cwd=cwd, env=env)
        out, errors = started.communicate(timeout)
        return subprocess.CompletedProcess(command, started.wait(), out, errors)

    return run

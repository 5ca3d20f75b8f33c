"""Runs a command on several ranks, with torchrun or without. A rank that hangs under torchrun prints its stacks."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from tests.fork_server import ForkedCommand


def on_ranks(arguments: Sequence[object], ranks: int = 2, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    """`torchrun … -m tuppence ARGUMENTS` on the CPU, one thread a rank.

    Raises:
        AssertionError: it has not ended in time; with the stacks of all its processes.
    """
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", "-m", "tuppence"]
    process = subprocess.Popen(
        [sys.executable, *launcher, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        for number in (signal.SIGABRT, signal.SIGKILL):  # the first makes Python print its stacks
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            time.sleep(2)
        _, errors = process.communicate()
        raise AssertionError(f"still running after {seconds:.0f} s: {' '.join(launcher)}\n{errors}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def as_ranks(
    start: Callable[..., ForkedCommand | subprocess.Popen[str]],
    lines: Sequence[Sequence[object]],
    *,
    one_machine: bool = True,
    seconds: float = 240,
) -> list[subprocess.CompletedProcess[str]]:
    """One process a rank, each with a command line of its own and the variables that torchrun sets.

    Args:
        start: starts a command line.
        one_machine: whether the ranks share a machine, or each is the only one of its node.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(len(lines))}
    ranks = [
        start(*words, env={**group, "RANK": str(rank), "LOCAL_RANK": str(rank if one_machine else 0)})
        for rank, words in enumerate(lines)
    ]
    try:
        told = [rank.communicate(timeout=seconds) for rank in ranks]
    finally:
        for rank in ranks:
            rank.send_signal(signal.SIGKILL)
    return [
        subprocess.CompletedProcess([*map(str, words)], rank.wait(), output, errors)
        for words, rank, (output, errors) in zip(lines, ranks, told, strict=True)
    ]


def script_on_ranks(script: str, *arguments: object, ranks: int = 2) -> list[subprocess.CompletedProcess[str]]:
    """A Python script in one process a rank, with the variables that torchrun sets and one thread each."""

    def start(*words: object, env: dict[str, str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, *map(str, words)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**env, "OMP_NUM_THREADS": "1"}
        )

    return as_ranks(start, [arguments] * ranks)

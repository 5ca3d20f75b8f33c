"""Runs a command on several ranks, as a person does with torchrun; one that hangs shows where each process stands."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence


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


def on_nodes(arguments: Sequence[Sequence[object]], seconds: float = 240) -> list[subprocess.CompletedProcess[str]]:
    """One process a node, each with a command line of its own, as on machines that share no disk."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(len(arguments)), "LOCAL_RANK": "0"}
    nodes = [
        subprocess.Popen(
            [sys.executable, "-m", "tuppence", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **meeting, "RANK": str(rank)},
        )
        for rank, words in enumerate(arguments)
    ]
    try:
        told = [node.communicate(timeout=seconds) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    return [
        subprocess.CompletedProcess(node.args, node.returncode, output, errors)
        for node, (output, errors) in zip(nodes, told, strict=True)
    ]

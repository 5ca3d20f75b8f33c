"""Kills the containers of a local SageMaker that has died: a small process that waits for the end of its input.

The local SageMaker holds the other end of the pipe, which the system closes also if the process is killed. This file
imports nothing of tuppence, because it is run as a script: it starts in hundredths of a second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

MARK = "TUPPENCE_REHEARSED_CONTAINER"
"""The environment variable by which the processes of a container are known."""


class Guardian:
    """Starts the process.

    Args:
        mark: the beginning of `MARK`'s value in all containers.
    """

    def __init__(self, mark: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Kills what is left, and ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def kill_marked(mark: str) -> None:
    """Kills all processes whose environment has `MARK` with a value that begins so. Linux only; nothing elsewhere."""
    wanted = f"{MARK}={mark}".encode()
    for _ in range(10):  # a process may start another one meanwhile
        found = False
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                variables = (entry / "environ").read_bytes().split(b"\0")
                if any(variable.startswith(wanted) for variable in variables) and not _is_dead(entry):
                    os.kill(int(entry.name), signal.SIGKILL)
                    found = True
        if not found:
            return


def _is_dead(entry: Path) -> bool:
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"


if __name__ == "__main__":
    sys.stdin.read()
    kill_marked(sys.argv[1])

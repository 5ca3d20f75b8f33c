"""Kills the containers of a local SageMaker that has died: a small process that waits for the end of its input.

The local SageMaker holds the other end of the pipe, which the system closes also if the process is killed. This file
imports nothing of tuppence, and little else, because it is run as a script: it starts in a hundredth of a second.
"""

import os
import signal
import sys

MARK = "TUPPENCE_REHEARSED_CONTAINER"
"""The environment variable by which the processes of a container are known."""


class Guardian:
    """Starts the process.

    Args:
        mark: the beginning of `MARK`'s value in all containers.
    """

    def __init__(self, mark: str) -> None:
        import subprocess

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
        for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:  # noqa: PTH112, PTH208  pathlib is slow
            if entry.isdigit() and _has_mark(entry, wanted):
                try:
                    os.kill(int(entry), signal.SIGKILL)
                    found = True
                except OSError:  # it has ended, or is another user's
                    pass
        if not found:
            return


def _has_mark(process: str, wanted: bytes) -> bool:
    """Whether a process that lives has a variable that begins so."""
    try:
        with open(f"/proc/{process}/environ", "rb") as environment:  # noqa: PTH123
            variables = environment.read().split(b"\0")
        if not any(variable.startswith(wanted) for variable in variables):
            return False
        with open(f"/proc/{process}/stat", "rb") as status:  # noqa: PTH123
            return status.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


if __name__ == "__main__":
    sys.stdin.read()
    kill_marked(sys.argv[1])

"""One container of a job: a real process with real signals, whose output becomes log events.

Its first process gets SIGTERM alone, as process 1 of a container does. SIGKILL goes to all its processes; those are
known by an environment variable, because they may have left the process group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from tuppence.aws.local.guardian import MARK, kill_marked

LONGEST_LINE = 256 * 1024  # bytes of an event of CloudWatch Logs
NOT_FOUND = 127


class Container:
    """Starts a command.

    Args:
        environment: all variables of the process, with `MARK`.
        log: called with each line of stdout and stderr, without its newline.
    """

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        log: Callable[[str], object],
    ) -> None:
        self._mark, self._log, self._over = environment[MARK], log, threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self.exit_code = NOT_FOUND
        try:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            log(f"exec {command[0]}: {error.strerror}")
            self._over.set()
            return
        self._reader = threading.Thread(target=self._read, name="container output", daemon=True)
        self._reader.start()
        threading.Thread(target=self._reap, name="container end", daemon=True).start()

    def terminate(self) -> None:
        """Sends SIGTERM to the first process."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL to all processes."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        kill_marked(self._mark)

    def wait(self) -> int:
        """Waits until the process has ended and its output was read. Returns its exit code, 128 + n for signal n."""
        self._over.wait()
        return self.exit_code

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in iter(lambda: output.readline(LONGEST_LINE), b""):
                self._log(line.decode("utf-8", errors="replace").rstrip("\r\n"))

    def _reap(self) -> None:
        assert self._process is not None
        code = self._process.wait()
        kill_marked(self._mark)  # a container ends with its first process
        self._reader.join(timeout=5)
        self.exit_code = 128 - code if code < 0 else code
        self._over.set()

"""S3 on this machine: ministack as a child process, which keeps its objects in a folder.

The child ends with this process, also when this process is killed: it watches a pipe that only this process holds.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tuppence.core.errors import MissingExtraError, TuppenceError

START_SECONDS = 60.0
_ATTEMPTS = 3
_PROGRAM = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
sys.argv = ["ministack"]
from ministack.app import main
main()
"""


class S3Server:
    """Starts ministack on a free port of 127.0.0.1.

    Args:
        folder: of the objects and of the server's log.

    Raises:
        MissingExtraError: ministack is not installed.
        TuppenceError: it does not start.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("ministack") is None:
            raise MissingExtraError("ministack", "rehearse", "a rehearsal on this machine")
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "server.log"
        for attempt in range(1, _ATTEMPTS + 1):  # another process may take the port that was free
            self.endpoint, self._child = self._start(folder, free_port())
            try:
                self._wait_until_ready()
                return
            except TuppenceError:
                self.close()
                if attempt == _ATTEMPTS:
                    raise

    def close(self) -> None:
        """Ends the server. Its objects stay in the folder."""
        assert self._child.stdin is not None
        self._child.terminate()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdin.close()

    def _start(self, folder: Path, port: int) -> tuple[str, subprocess.Popen[bytes]]:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "objects"),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(folder / "state"),
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        }
        with self._log.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                env=environment,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal reaches this process only, which then ends the child
            )
        return f"http://127.0.0.1:{port}", child

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        host = self.endpoint.removeprefix("http://")
        while time.monotonic() < deadline and self._child.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(host, timeout=5)
                connection.request("GET", "/_ministack/health")
                if connection.getresponse().status == 200:
                    connection.close()
                    return
            time.sleep(0.05)
        raise TuppenceError("the S3 server of the rehearsal does not start", f"its messages are in {self._log}")


def free_port() -> int:
    """A port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

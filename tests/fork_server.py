"""Runs `python -m tuppence` in processes that are forked from a server, which has imported the large libraries.

Python and torch take over a second to start, and many tests need the real command line in a process of its own. The
server imports libraries only: each command imports the modules of tuppence itself, in its own order. Its process has
its own streams, working directory, environment, exit handlers and exit code, and it may be killed.

Not covered: variables that Python or a library reads when it starts (`READ_AT_START`). Such a command needs a new
interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBRARIES = (
    *("numpy", "torch", "torch.distributed", "torch._dynamo", "torch.utils.checkpoint", "safetensors.torch"),
    *("pydantic.main", "regex", "typer", "rich.console", "rich.progress", "yaml", "jinja2", "tiktoken"),
    *("matplotlib.figure", "matplotlib.backends.backend_svg"),
    *("sklearn.metrics", "sklearn.linear_model", "sklearn.feature_extraction.text", "sklearn.dummy"),
)
READ_AT_START = ("PYTHON", "OMP_", "GOMP_", "MKL_", "OPENBLAS_", "LD_")
"""How the names of the variables begin that take effect only in a new process. (KMP_ is not here: scikit-learn sets
such variables when it is imported, for an OpenMP that torch does not use on Linux.)"""
THREADS = "OMP_NUM_THREADS"


class ForkServer:
    """A server and its client.

    Args:
        env: the server's environment; its commands have environments of their own.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fork-server-")
        self._address = str(Path(self._folder.name) / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen()
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(listener.fileno())],
                stdin=subprocess.PIPE,  # pipes all three, as those of the commands will be: Python keeps what it saw
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                pass_fds=[listener.fileno()],
            )

    def close(self) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def start(
        self,
        arguments: Sequence[str],
        *,
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ForkedCommand:
        """Starts `python -m tuppence ARGUMENTS`; the options mean what they mean to `subprocess.run`."""
        request = {
            "arguments": list(arguments),
            "cwd": str(Path.cwd() if cwd is None else cwd),
            "env": dict(os.environ if env is None else env),
        }
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
        socket.send_fds(connection, [b"\n"], [in_read, out_write, err_write])
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        for end in (in_read, out_write, err_write):
            os.close(end)
        threading.Thread(target=_write, args=(in_write, input or "")).start()
        return ForkedCommand(connection, _Reader(out_read), _Reader(err_read))


class ForkedCommand:
    """A command that was started: the part of `subprocess.Popen` that tests need."""

    def __init__(self, connection: socket.socket, out: _Reader, errors: _Reader) -> None:
        self._connection, self._out, self._errors = connection, out, errors
        self._answers = connection.makefile("r")
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while the command runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code.

        Raises:
            subprocess.TimeoutExpired: the command still runs.
        """
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                assert timeout is not None
                raise subprocess.TimeoutExpired("tuppence", timeout)
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end; returns what the command wrote to stdout and to stderr.

        Raises:
            subprocess.TimeoutExpired: the command has not ended in time. It is killed.
        """
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self.send_signal(signal.SIGKILL)
            self.wait()
            error.output, error.stderr = self._out.text(), self._errors.text()
            raise
        return self._out.text(), self._errors.text()


class ForkServers:
    """A server for each number of OpenMP threads, started when it is first needed."""

    def __init__(self) -> None:
        self._servers: dict[str | None, ForkServer] = {}

    def of(self, env: Mapping[str, str] | None) -> ForkServer | None:
        """The server for commands with this environment; None if only a new interpreter can have it."""
        env = os.environ if env is None else env
        if _read_at_start(env) != _read_at_start(os.environ):
            return None
        threads = env.get(THREADS)
        if threads not in self._servers:
            own = {name: value for name, value in os.environ.items() if name != THREADS}
            self._servers[threads] = ForkServer(own if threads is None else {**own, THREADS: threads})
        return self._servers[threads]

    def close(self) -> None:
        for server in self._servers.values():
            server.close()


def _read_at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(READ_AT_START) and name != THREADS}


class _Reader(threading.Thread):
    """Reads one end of a pipe until the last writer has closed the other."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()  # pipes are read all the time: a full one would stop the command
        self._descriptor, self._text = descriptor, ""
        self.start()

    def run(self) -> None:
        with os.fdopen(self._descriptor) as stream:
            self._text = stream.read()

    def text(self) -> str:
        self.join()
        return self._text


def _write(descriptor: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "w") as stream:
        stream.write(text)


# ---- the server's process ----------------------------------------------------------------------------------------


def serve(listener: socket.socket) -> None:
    """Forks a process for each connection, until stdin is closed. Returns in the forked processes only."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            sys.exit()
        connection, _ = listener.accept()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # those that have ended since the last command
                pass
        if os.fork() == 0:
            listener.close()
            become_command(connection)
            return
        connection.close()


def become_command(connection: socket.socket) -> None:
    """Forks once more: this process reports the other's id and exit code, the other takes over what was asked for."""
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("r") as stream:
        request = json.loads(stream.read())
    command = os.fork()
    if command:
        for descriptor in (0, 1, 2, *descriptors):
            os.close(descriptor)
        connection.sendall(f"{command}\n".encode())
        _, status = os.waitpid(command, 0)
        with contextlib.suppress(BrokenPipeError):  # nobody waits any longer
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    connection.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["cwd"]  # as of `python -m`


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("tuppence", run_name="__main__", alter_sys=True)

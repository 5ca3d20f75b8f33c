"""Starts the process of a learner's function, calls the function, and says in one line why a call gave no result."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.exercises import plain
from tuppence.exercises.child import Load, run_child
from tuppence.exercises.limits import Limits

_END_SECONDS = 1.0
"""How long a process that has closed its connection may take to end."""


class CallError(Exception):
    """A call gave no result.

    Attributes:
        problem: one line that says why.
        written: False if the function raised NotImplementedError: it is not written yet.
        ends: whether the code ended the program or its process, or was ended at a limit of time.
        printed: what the code of the file had printed, if the file could not be loaded.
    """

    def __init__(self, problem: str, *, written: bool = True, ends: bool = False) -> None:
        super().__init__(problem)
        self.problem, self.written, self.ends = problem, written, ends
        self.printed = ""


class Learner:
    """A learner's function in a process of its own. Use it in a `with` statement, which ends the process.

    Args:
        load: finds the function; called in the new process.
        parameters: the number of arguments the function is called with.
        limits: what each property may use.

    Attributes:
        facts: what the process said of the function: `found`, `signature`, `fits`, `empty`, `digest`, `network`.
        printed: the beginning of what the code printed in the last call.

    Raises:
        CallError: `load` failed.
        InputError: the system has no `fork`.
    """

    def __init__(self, load: Load, parameters: int, limits: Limits) -> None:
        if not hasattr(os, "fork") or sys.platform == "win32":
            raise InputError("exercises are checked on Linux and macOS only", "on Windows, use WSL or Google Colab")
        self._limits = limits
        self._printed = b""
        self._rest = b""
        self._fresh = True
        self._deadline = time.monotonic() + limits.seconds
        self._control, theirs = socket.socketpair()
        self._output, output = os.pipe()
        self._status: int | None = None
        self.facts: dict[str, Any] = {}
        self._pid = _fork()
        if self._pid == 0:
            run_child(load, parameters, theirs.fileno(), output, limits)
        theirs.close()
        os.close(output)
        os.set_blocking(self._output, False)
        try:
            self.facts = self._reply()
        except BaseException as error:
            if isinstance(error, CallError):
                error.printed = self.printed
            self.close()
            raise

    def __enter__(self) -> Learner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process and all that it started."""
        self._end()
        self._control.close()
        with contextlib.suppress(OSError):
            os.close(self._output)
        self._output = -1

    @property
    def printed(self) -> str:
        """The beginning of what the code printed in the last call, and a note if there was more."""
        text = self._printed.decode("utf-8", "backslashreplace")
        limit = self._limits.printed
        return text if len(text) <= limit else f"{text[:limit]}… (cut after {counted(limit, 'character')})"

    def begin_property(self) -> None:
        """Gives the next calls the whole limit of time."""
        self._fresh = True
        self._deadline = time.monotonic() + self._limits.seconds

    def call(self, arguments: Sequence[Any], *, gradients: bool = False) -> dict[str, Any]:
        """Calls the function.

        Args:
            gradients: also return the gradients of a weighted sum of the result, see `child.gradients`.

        Returns:
            `value`; with gradients also `gradients`, else `arguments`, as they are after the call.

        Raises:
            CallError: it gave no result.
        """
        return self._ask({"do": "call", "arguments": list(arguments), "gradients": gradients})

    def calls(self, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """Calls the function once for each list of arguments, and returns the results.

        Raises:
            CallError: one of them gave no result.
        """
        values: list[Any] = self._ask({"do": "calls", "arguments": [list(one) for one in arguments]})["value"]
        return values

    def device(self) -> str:
        """The device that torch offers in the process: cuda or cpu."""
        return str(self._ask({"do": "device"})["value"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._control.sendall(plain.dumps({**request, "fresh": self._fresh}))
        except OSError:
            raise self._ended() from None
        self._fresh = False
        self._printed = b""
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        line = self._read_line()
        try:
            reply = plain.loads(line)
        except plain.NotPlainError:
            reply = None
        if not isinstance(reply, dict):
            self._end()
            raise CallError("writes something into the connection that is not a result", ends=True)
        if "error" in reply:
            raise self._explain(reply["error"])
        return reply

    def _read_line(self) -> bytes:
        """Reads the next line of the process, and its output meanwhile."""
        while b"\n" not in self._rest:
            left = self._deadline - time.monotonic()
            if left <= 0:
                self._end()
                raise self._late()
            watched = select.poll()  # select has no descriptors above 1,024, and a notebook may
            for descriptor in (self._control.fileno(), self._output):
                if descriptor >= 0:
                    watched.register(descriptor, select.POLLIN)
            ready = {descriptor for descriptor, _ in watched.poll(1000 * left)}
            if self._output in ready:
                self._drain()
            if self._control.fileno() in ready:
                try:
                    piece = self._control.recv(2**16)
                except OSError:
                    piece = b""
                if not piece:
                    raise self._ended()
                self._rest += piece
            if len(self._rest) > 2 * plain.LARGEST_BYTES:
                self._end()
                raise CallError("writes something into the connection that is not a result", ends=True)
        line, _, self._rest = self._rest.partition(b"\n")
        self._drain()
        return line

    def _drain(self) -> None:
        """Reads what the process has printed; the part beyond the limit is dropped."""
        with contextlib.suppress(BlockingIOError):
            while self._output >= 0:
                piece = os.read(self._output, 2**16)
                if not piece:
                    os.close(self._output)
                    self._output = -1
                if len(self._printed) <= 4 * self._limits.printed:
                    self._printed += piece
                if len(piece) < 2**16:
                    return

    def _late(self) -> CallError:
        """The limit of time is over: for a call, or for the code of the file outside functions."""
        what = "gives no result" if self.facts else "does not come to its end"
        return CallError(f"{what} within {self._limits.seconds:g} seconds", ends=True)

    def _ended(self) -> CallError:
        """Why the process has ended."""
        self._drain()
        status = self._end(kill=False)
        if status is None:
            return CallError("closed the connection of its process", ends=True)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return self._late()
            if number == signal.SIGSEGV:
                return CallError("crashes its process (segmentation fault): does a recursion have no end?", ends=True)
            return CallError(f"ends its process with the signal {signal.Signals(number).name}", ends=True)
        return CallError(f"ends its process (exit code {os.WEXITSTATUS(status)})", ends=True)

    def _end(self, *, kill: bool = True) -> int | None:
        """Ends the process; returns its status, None if it had to be killed."""
        if self._pid <= 0:
            return self._status
        if not kill:
            until = time.monotonic() + _END_SECONDS
            while time.monotonic() < until:
                try:
                    pid, status = os.waitpid(self._pid, os.WNOHANG)
                except ChildProcessError:  # somebody else in this program waits for all processes
                    self._pid = 0
                    return None
                if pid:
                    self._pid, self._status = 0, status
                    return status
                time.sleep(0.002)
        for end in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                end(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self._pid = 0
        return None

    def _explain(self, error: dict[str, Any]) -> CallError:
        kind = error.get("kind")
        if kind == "refused":
            return CallError(str(error.get("text")))
        if kind == "memory":
            return CallError(f"needs more than {self._limits.memory_bytes / 2**30:.2g} GiB of memory")
        line = error.get("line")
        where = f" (line {line})" if isinstance(line, int) else ""
        if kind == "exit":
            return CallError(f"ends the program: SystemExit{where}", ends=True)
        text = f": {error.get('text')}" if error.get("text") else ""
        return CallError(f"raises {error.get('type')}{text}{where}", written=kind != "not written")


def _fork() -> int:
    """Forks. Python warns in a process with threads, such as a notebook's; the child uses none of their locks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        return os.fork()

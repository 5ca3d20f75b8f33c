"""`python -m tuppence.aws.entry`: the first process of a training container.

It reads the order of the job, verifies its inputs, finds out since when the machine is billed, and runs the verb line
as a child: one process, or torchrun's when there are several GPUs or machines. SIGTERM, which SageMaker sends 120
seconds before it takes the machine, goes to the child once; the child saves and exits.

The state of a run comes from the run's own copy in S3 and goes there. /opt/ml/model stays empty but for a note:
SageMaker uploads it while the job is billed. The exit code is the child's: 0 also if a run has reached its budget.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tuppence.aws.billing import find_billing
from tuppence.aws.container import Container, Hosts, devices
from tuppence.aws.failure import failure_line, write_failure
from tuppence.aws.order import Order
from tuppence.core.errors import TuppenceError
from tuppence.cost.billing import VARIABLE
from tuppence.training.tracking import METRIC_LINES_VARIABLE

SCALE_VARIABLE = "TUPPENCE_TIME_SCALE"
"""Set in a rehearsal: seconds of its clock in a second of this machine."""
PORT = 29500
KEPT_LINES = 200
SAVE_SECONDS = 110
"""Longest time for torchrun's processes to save after SIGTERM; its own default is 30."""
NAME_SECONDS = 300.0
_LONGEST_LINE = 16_384


def main() -> int:
    """Runs the job; returns its exit code."""
    child = Child()
    with child.forwarding():
        container = Container.here()
        try:
            order = container.order()
            hosts = container.hosts()
            count = container.verify(order)
            say(f"{count} input files verified; machine {hosts.rank + 1} of {len(hosts.all)}, {hosts.instance}")
            command, environment = prepared(order, container, hosts)
        except TuppenceError as error:
            line = failure_line([f"error: {error.message}", f"  hint: {error.hint}"], error.exit_code)
            say(f"error: {line}")
            write_failure(container.failure_file, line)
            return error.exit_code
        code = child.run(command, environment)
    if code not in (0, 128 + signal.SIGTERM):
        write_failure(container.failure_file, failure_line(child.last_lines(), code))
    if hosts.rank == 0 and order.output:
        with contextlib.suppress(OSError):
            container.model.mkdir(parents=True, exist_ok=True)
            note = json.dumps({"output": order.output, "exit_code": code})
            (container.model / "where.json").write_text(note + "\n", encoding="utf-8")
    return code


def prepared(order: Order, container: Container, hosts: Hosts) -> tuple[list[str], dict[str, str]]:
    """The child's command and environment.

    Raises:
        InputError: the first machine cannot be found by its name.
    """
    scale = float(os.environ.get(SCALE_VARIABLE) or 1.0)
    words = [*order.verb.split(), *order.verb_line(container.channel)]
    if order.cap_usd is not None:
        words += ["--budget", repr(order.cap_usd)]
    if order.metrics:
        words += ["--rate", repr(order.rate_usd_per_hour * scale)]
    job, region = os.environ.get("TRAINING_JOB_NAME", ""), os.environ.get("AWS_REGION") or order.region
    billing = find_billing(order, job, region, scale)
    say(f"billed since {time.time() - billing.since:.0f} s ({billing.basis})")
    processes = devices(hosts.instance) if order.several_ranks else 1
    several = order.several_ranks and processes * len(hosts.all) > 1
    environment = {**os.environ, VARIABLE: billing.as_text(), "PYTHONUNBUFFERED": "1"}
    environment.setdefault("XDG_CACHE_HOME", str(cache_of(container)))
    if order.metrics:
        environment[METRIC_LINES_VARIABLE] = "1"
    if not several:
        return [sys.executable, "-m", "tuppence", *words], environment
    address = os.environ.get("MASTER_ADDR") or hosts.all[0]
    if len(hosts.all) > 1:
        wait_for_name(address)
        for library in ("NCCL", "GLOO"):
            environment.setdefault(f"{library}_SOCKET_IFNAME", hosts.interface)
    environment["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] = str(SAVE_SECONDS)
    return [*torchrun(hosts, processes, address), *words], environment


def torchrun(hosts: Hosts, processes: int, address: str) -> list[str]:
    """The command that starts a process for each device of this machine."""
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        *(f"--nnodes={len(hosts.all)}", f"--node-rank={hosts.rank}", f"--nproc-per-node={processes}"),
        *(f"--master-addr={address}", f"--master-port={os.environ.get('MASTER_PORT') or PORT}"),
        *("--max-restarts=0", "-m", "tuppence"),
    ]


def wait_for_name(name: str, seconds: float = NAME_SECONDS) -> None:
    """Waits until the name of another machine can be looked up; machines of a job do not start at the same moment.

    Raises:
        TuppenceError: it cannot.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            socket.getaddrinfo(name, None)
            return
        except OSError as error:
            if time.monotonic() > until:
                raise TuppenceError(f"the machine {name} has no address: {error}", "start the job again") from error
        time.sleep(1.0)


def cache_of(container: Container) -> Path:
    """A folder on the volume of the job; the root disk of a container is small."""
    return Path("/tmp/tuppence") if container.base == Path("/opt/ml") else container.base / "tmp"


class Child:
    """The process that works. Its lines are passed on, one write for each, and the last ones are kept."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._signals: list[int] = []
        self._forwarded = False

    @contextlib.contextmanager
    def forwarding(self) -> Any:
        """Handles SIGTERM and SIGINT in the block. Process 1 of a container ignores signals without a handler."""
        previous = {number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Runs a command until it ends; returns its exit code, 128 + n if signal n killed it.

        A signal that arrived before is counted as one for the command, which is then not started.
        """
        if self._signals:
            return 128 + signal.SIGTERM
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if self._signals:
            self._forward()
        reader = threading.Thread(target=self._pass_on, daemon=True)
        reader.start()
        code = self._process.wait()
        reader.join(timeout=5.0)  # a process that was left behind may hold the pipe
        return code if code >= 0 else 128 - code

    def last_lines(self) -> list[str]:
        """The last lines of the output."""
        return list(self._lines)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)
        if self._process is not None:
            self._forward()

    def _forward(self) -> None:
        assert self._process is not None
        if not self._forwarded and self._process.poll() is None:
            self._forwarded = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def _pass_on(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := self._process.stdout.readline(_LONGEST_LINE):
            self._lines.append(line.decode("utf-8", errors="replace").rstrip("\r\n"))
            write(line if line.endswith(b"\n") else line + b"\n")


def say(message: str) -> None:
    """Writes a line to the log of the job."""
    write(f"tuppence: {message}\n".encode(errors="backslashreplace"))


def write(line: bytes) -> None:
    """Writes a line in one call: CloudWatch splits what arrives in pieces. The reader of the log may be gone."""
    with contextlib.suppress(OSError):
        os.write(1, line)


if __name__ == "__main__":
    sys.exit(main())

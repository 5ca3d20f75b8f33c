from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.aws.test_order import ORDER

from tuppence.aws import entry
from tuppence.aws.container import Container, Hosts
from tuppence.aws.entry import Child, prepared, torchrun
from tuppence.aws.order import Order
from tuppence.cost.billing import billing_here

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
PLAIN = dataclasses.replace(
    ORDER, words=("--json",), verb="data list", metrics=False, cap_usd=None, several_ranks=False, files={}
)


def job(base: Path, order: Order, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the entry point as the first process of a container."""
    folder = Container(base).channel("order")
    folder.mkdir(parents=True)
    (folder / "order.json").write_text(order.as_text())
    variables = {**ENVIRONMENT, "SAGEMAKER_BASE_DIR": str(base), **environment}
    return subprocess.run(
        [sys.executable, "-m", "tuppence.aws.entry"], env=variables, capture_output=True, text=True, timeout=120
    )


def test_a_job_runs_its_verb_and_notes_where_its_result_is(tmp_path: Path) -> None:
    ended = job(tmp_path, PLAIN)
    assert ended.returncode == 0, ended.stderr
    assert "300 s of lead are assumed" in ended.stdout
    names = [row["name"] for row in json.loads(ended.stdout[ended.stdout.index("[\n") :])]
    assert "tinystories" in " ".join(names).lower()
    assert json.loads((tmp_path / "model" / "where.json").read_text()) == {"output": "s3://b/run", "exit_code": 0}
    assert not (tmp_path / "output" / "failure").exists()


def test_a_failed_job_says_why_in_one_line(tmp_path: Path) -> None:
    ended = job(tmp_path, dataclasses.replace(PLAIN, verb="report", words=(str(tmp_path / "nothing"),)))
    assert ended.returncode == 2
    (line,) = (tmp_path / "output" / "failure").read_text().splitlines()
    assert "there is no folder" in line
    assert line.endswith(")")  # what to do


def test_a_job_with_a_damaged_input_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = job(tmp_path, dataclasses.replace(PLAIN, files={"input-0": {"a.txt": (1, "0" * 64)}}))
    assert ended.returncode == 2
    assert "a.txt is missing" in (tmp_path / "output" / "failure").read_text()


SAVES = """
import os, signal, sys, time
count = 0
def save(number, frame):
    global count
    count += 1
signal.signal(signal.SIGTERM, save)
os.write(1, b"ready\\n")
until = time.monotonic() + 30
while not count and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.2)
os.write(1, b"saved after %d\\n" % count)
sys.exit(143)
"""


def test_sigterm_reaches_the_child_once_and_its_save_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child()
    written: list[bytes] = []

    def write(line: bytes) -> None:
        written.append(line)
        if line == b"ready\n":
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(entry, "write", write)
    with child.forwarding():
        code = child.run([sys.executable, "-c", SAVES], dict(os.environ))
    assert (code, child.last_lines()) == (143, ["ready", "saved after 1"])


def test_a_signal_before_the_start_ends_the_job_at_once() -> None:
    child = Child()
    with child.forwarding():
        os.kill(os.getpid(), signal.SIGTERM)
        assert child.run([sys.executable, "-c", "print('trained')"], dict(os.environ)) == 143
    assert child.last_lines() == []


def test_every_line_is_one_write_and_the_last_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(entry, "write", written.append)
    script = "import os\nfor part in (b'loss', b' 4.2\\nstep', b' 2'):\n    os.write(1, part)"
    child = Child()
    assert child.run([sys.executable, "-c", script], dict(os.environ)) == 0
    assert written == [b"loss 4.2\n", b"step 2\n"]


def test_several_machines_start_torchrun_with_the_first_as_master(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(entry, "wait_for_name", lambda name: None)
    for name in ("MASTER_ADDR", "MASTER_PORT", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "TRAINING_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    hosts = Hosts("algo-2", ("algo-1", "algo-2"), "ml.m5.xlarge", "eth1")
    command, environment = prepared(ORDER, Container(tmp_path), hosts)
    assert command[: len(torchrun(hosts, 1, "algo-1"))] == torchrun(hosts, 1, "algo-1")
    assert "--node-rank=1" in command
    assert "--master-addr=algo-1" in command
    assert command[-4:] == ["--budget", "5.0", "--rate", "0.7364"]
    assert (environment["NCCL_SOCKET_IFNAME"], environment["GLOO_SOCKET_IFNAME"]) == ("eth1", "eth1")
    assert environment["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] == "110"
    billing = billing_here(environment)
    assert billing is not None
    assert time.time() - billing.since == pytest.approx(300, abs=5)


def test_one_device_needs_no_torchrun(tmp_path: Path) -> None:
    command, _ = prepared(ORDER, Container(tmp_path), Hosts("algo-1", ("algo-1",), "ml.m5.xlarge", "eth0"))
    assert command[1:5] == ["-m", "tuppence", "pretrain", "--data"]

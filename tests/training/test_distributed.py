"""A world of one needs no network; what two ranks compute is tested in tests/integration/test_equivalence.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.training.distributed import World, join_world, leave_world


def test_without_torchrun_there_is_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    world, device = join_world("cpu")
    assert (world, device) == (World(0, 1, 0), "cpu")
    assert world.is_main
    assert world.sum([1.5, 2.0]) == [1.5, 2.0]
    assert world.broadcast_from_rank0(3.0) == 3.0
    world.barrier()
    leave_world()


@pytest.mark.parametrize(
    ("name", "value"), [("RANK", "2"), ("RANK", "one"), ("MASTER_PORT", "http"), ("MASTER_PORT", "0")]
)
def test_impossible_variables_of_torchrun_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for key, number in {**whole, name: value}.items():
        monkeypatch.setenv(key, number)
    with pytest.raises(InputError, match=f"{name}={value}"):
        join_world("cpu")


RANK = """
import os
import torch
from tests.training.toy import Bigram, Toy
from tuppence.training.distributed import join_world, leave_world
from tuppence.training.execution import Execution
from tuppence.training.parallel import ParallelLoss

def threads():
    return [name for name in (open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task"))
            if "gloo" in name]

world, _ = join_world("cpu")
assert world.sum([1.0, 2.0]) == [2.0, 4.0]
assert world.broadcast_from_rank0(float(world.rank)) == 0.0
assert world.largest(float(world.rank)) == 1.0
assert world.on_main(lambda: world.rank) == 0
loss = ParallelLoss(toy := Toy(), Bigram(), Execution("cpu", "float32", False, world))
with loss.sync_gradients(last=True):
    loss(toy.sequences(world.rank))[0].backward()
world.barrier()
assert threads()
loss.release()
leave_world()
assert not threads(), threads()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed on Linux only")
def test_no_thread_of_the_process_group_outlives_it() -> None:
    # such a thread runs while the interpreter exits, and a rank may never end
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]
    for rank in ranks:
        _, errors = rank.communicate(timeout=120)
        assert rank.returncode == 0, errors


@pytest.mark.parametrize(
    ("environment", "device", "gpus", "message"),
    [
        ({"WORLD_SIZE": "2"}, "cpu", 0, "no RANK"),
        ({"WORLD_SIZE": "two"}, "cpu", 0, "WORLD_SIZE=two"),
        ({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}, "cuda", 1, "has no GPU"),
        ({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}, "cuda:0", 2, "train.device=cuda:0"),
    ],
)
def test_processes_that_cannot_have_a_device_each_are_refused(
    environment: dict[str, str], device: str, gpus: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"} if "RANK" in environment else {}
    for name, value in {**environment, **address}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    with pytest.raises(InputError, match=message):
        join_world(device)


def test_an_empty_world_size_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "")
    assert join_world("cpu") == (World(), "cpu")

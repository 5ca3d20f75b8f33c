"""A world of one needs no network; what two ranks compute is tested in tests/integration/test_equivalence.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tuppence.training.distributed import World, join_world, leave_world


def test_without_torchrun_there_is_one_rank_that_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    world = join_world("cpu")
    assert world == World(0, 1, 0)
    assert world.leads
    assert world.sum([1.5, 2.0], "cpu") == [1.5, 2.0]
    assert world.broadcast(3.0, "cpu") == 3.0
    world.wait()
    leave_world()


RANK = """
import os
import torch
from tests.training.toy import Bigram, Toy
from tuppence.training.distributed import join_world, leave_world
from tuppence.training.parallel import Machine, ParallelLoss

def threads():
    return [name for name in (open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task"))
            if "gloo" in name]

world = join_world("cpu")
assert world.sum([1.0, 2.0], "cpu") == [2.0, 4.0]
assert world.broadcast(float(world.rank), "cpu") == 0.0
loss = ParallelLoss(toy := Toy(), Bigram(), Machine("cpu", "float32", False, world))
with loss.exchanging(last=True):
    loss(toy.sequences(world.rank))[0].backward()
world.wait()
assert threads()
loss.release()
leave_world()
assert not threads(), threads()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed on Linux only")
def test_no_thread_of_the_process_group_outlives_it() -> None:
    # one that does meets an interpreter that is going down, and a rank may never end
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

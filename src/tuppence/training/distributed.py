"""One process or several, started by `torchrun`: ranks, sums over them, and who may write.

Covered: data parallelism (DistributedDataParallel over gloo or nccl). Not covered: sharding the model.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.distributed.nn  # before there is a group: see `leave_world`


@dataclass(frozen=True)
class World:
    """This process's place among all.

    Attributes:
        rank: 0 to size - 1; rank 0 alone writes files and speaks.
        size: the number of processes.
        local_rank: which device of this machine is ours.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the rank that writes."""
        return self.rank == 0

    def sum(self, values: list[float], device: str) -> list[float]:
        """Adds up a few numbers over all ranks, in float64 where the device has it."""
        if self.size == 1:
            return values
        dtype = torch.float32 if device.startswith("mps") else torch.float64
        total = torch.tensor(values, dtype=dtype, device=device)
        dist.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def broadcast(self, value: float, device: str) -> float:
        """Rank 0's number, on every rank: clocks differ, and decisions must not."""
        if self.size == 1:
            return value
        dtype = torch.float32 if device.startswith("mps") else torch.float64
        box = torch.tensor([value], dtype=dtype, device=device)
        dist.broadcast(box, src=0)
        return float(box.item())

    def wait(self) -> None:
        """Returns when every rank has come here."""
        if self.size > 1:
            dist.barrier()


def join_world(device: str) -> World:
    """Joins the process group that torchrun's environment describes; a world of one without it.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl).
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return World(dist.get_rank(), size, int(os.environ.get("LOCAL_RANK", "0")))


def leave_world() -> None:
    """Closes the process group, if there is one, and with it its threads, while the interpreter is whole.

    A group lives as long as anything holds it, and its threads must not meet an interpreter that is going down. Two
    things would hold it: DistributedDataParallel (`ParallelLoss.release`), and torch.distributed.nn, whose functions
    take the group of the moment in which they are imported for a default. That import comes with the first
    DistributedDataParallel; above, it comes before there is a group.
    """
    if dist.is_initialized():
        dist.destroy_process_group()

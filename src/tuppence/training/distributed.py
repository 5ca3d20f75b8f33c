"""One process or several, started by `torchrun`: ranks, sums over them, and who may write.

Covered: data parallelism (DistributedDataParallel over gloo or nccl). Not covered: sharding the model.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn  # before there is a group: see `leave_world`

from tuppence.core.console import counted
from tuppence.core.errors import InputError, OtherRankError, TuppenceError

LONGEST_WAIT = timedelta(hours=2)
"""How long a rank waits for another. Rank 0 alone saves, writes samples and measures, on a slow disk for many minutes;
the default for GPUs is 10 minutes."""


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
    def is_main(self) -> bool:
        """Whether this is rank 0, the one that writes."""
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """Adds up a few numbers of the host over all ranks, in float64; no GPU is waited for."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def largest(self, value: float) -> float:
        """The largest of all ranks' numbers."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(box, op=dist.ReduceOp.MAX)
        return float(box.item())

    def broadcast_from_rank0(self, value: float) -> float:
        """Rank 0's number, on every rank: clocks differ, and decisions must not."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(box, src=0)
        return float(box.item())

    def share(self, content: bytes | None) -> bytes:
        """Rank 0's bytes, on every rank; the others give None."""
        if self.size == 1:
            return content or b""
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        size = torch.tensor([len(content or b"")], dtype=torch.int64, device=device)
        dist.broadcast(size, src=0)
        box = torch.empty(int(size.item()), dtype=torch.uint8, device=device)
        if content is not None:
            box.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        dist.broadcast(box, src=0)
        return box.cpu().numpy().tobytes()

    def on_main(self, work: Callable[[], Any]) -> Any:
        """Calls `work` on rank 0; returns its result, as JSON, on every rank.

        An error of `work` ends every rank, and rank 0 prints it.

        Raises:
            TuppenceError: `work` raised one.
            OtherRankError: it did, and this rank is not 0.
        """
        if self.size == 1:
            return work()
        answer: dict[str, Any] = {}
        failure: TuppenceError | None = None
        if self.is_main:
            try:
                answer = {"value": work()}
            except TuppenceError as error:
                failure, answer = error, {"failed": error.message}
        answer = json.loads(self.share(json.dumps(answer, default=str).encode() if self.is_main else None))
        if failure is not None:
            raise failure
        if "failed" in answer:
            raise OtherRankError(answer["failed"])
        return answer["value"]

    def share_tensors(self, tensors: dict[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
        """Rank 0's tensors by name, on the CPU of every rank; the others give None."""
        if self.size == 1:
            return tensors or {}
        header = {
            name: [str(value.dtype).removeprefix("torch."), list(value.shape)]
            for name, value in (tensors or {}).items()
        }
        header = self.on_main(lambda: header)
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        shared = {}
        for name, (dtype, shape) in header.items():
            box = torch.empty(shape, dtype=getattr(torch, dtype), device=device)
            if tensors is not None:
                box.copy_(tensors[name])
            dist.broadcast(box, src=0)
            shared[name] = box.cpu()
        return shared

    def require_same(self, value: str, otherwise: str) -> None:
        """Compares a text among all ranks.

        Raises:
            InputError: rank 0's is another; `otherwise` says what that means.
        """
        if self.size == 1:
            return
        mine = hashlib.sha256(value.encode()).digest()
        differs = self.share(mine if self.is_main else None) != mine
        if self.largest(float(differs)):
            if not self.is_main:
                raise OtherRankError(otherwise)
            raise InputError(otherwise, "give every node the same data, base, tokenizer and recipe")

    def barrier(self) -> None:
        """Waits until every rank has called it."""
        if self.size > 1:
            dist.barrier()


def join_world(device: str) -> tuple[World, str]:
    """Joins the process group that torchrun's environment describes; a world of one without it.

    Args:
        device: as the person chose it: "cpu" (gloo), "cuda" (nccl, each rank on its own GPU; gloo for what is on the
            CPU), "cuda:N" or "mps" (without torchrun only).

    Returns:
        This rank's place, and its device.

    Raises:
        InputError: torchrun's environment is incomplete, there are more ranks than GPUs, or all ranks would share one.
    """
    size = _from_environment("WORLD_SIZE", 1)
    if size == 1:
        device = "cuda:0" if device == "cuda" else device
        if device.startswith("cuda"):
            torch.cuda.set_device(device)
        return World(), device
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise InputError(
                f"the environment has WORLD_SIZE={size} and no {name}",
                "start several processes with torchrun, or unset WORLD_SIZE",
            )
    if (rank := _from_environment("RANK", 0)) >= size:
        raise InputError(f"RANK={rank} in the environment, of WORLD_SIZE={size}", "start the processes with torchrun")
    _from_environment("MASTER_PORT", 1)
    local_rank = _from_environment("LOCAL_RANK", 0)
    device = _device_of(device, local_rank)
    if not dist.is_initialized():
        gpu = None if device == "cpu" else torch.device(device)
        if gpu is not None:
            torch.cuda.set_device(gpu)  # before there is a group: each rank has its context on its own GPU alone
        dist.init_process_group("gloo" if gpu is None else "cpu:gloo,cuda:nccl", device_id=gpu, timeout=LONGEST_WAIT)
    return World(dist.get_rank(), size, local_rank), device


def _device_of(device: str, local_rank: int) -> str:
    """The device of a rank among several on this machine."""
    if device == "cpu":
        return device
    if device != "cuda":
        raise InputError(
            f"train.device={device} gives every process started by torchrun the same device",
            "leave train.device to auto: each process takes the GPU of its LOCAL_RANK",
        )
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise InputError(
            f"process {local_rank} of this machine has no GPU: there are {counted(count, 'GPU')}, counted from 0",
            f"start torchrun with --nproc-per-node {count}",
        )
    return f"cuda:{local_rank}"


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and int(text) >= default):
        raise InputError(f"{name}={text} in the environment is no number that torchrun gives", f"unset {name}")
    return int(text)


def leave_world() -> None:
    """Closes the process group, if there is one, and with it its threads, while the interpreter is whole.

    A group lives as long as anything holds it, and its threads must not meet an interpreter that is going down. Two
    things would hold it: DistributedDataParallel (`ParallelLoss.release`), and torch.distributed.nn, whose functions
    take the group of the moment in which they are imported for a default. That import comes with the first
    DistributedDataParallel; above, it comes before there is a group.
    """
    if dist.is_initialized():
        dist.destroy_process_group()

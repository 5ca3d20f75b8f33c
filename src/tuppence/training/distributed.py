"""Ranks: one process, or several that `torchrun` starts, and communication between them.

Not covered: what the ranks compute together; see `parallel` (gradients) and `shards` (a divided model).
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn  # before a group is created: see `leave_world`

from tuppence.core.console import counted
from tuppence.core.errors import InputError, OtherRankError, TuppenceError

LONGEST_WAIT = timedelta(hours=2)
"""Longest time that a rank waits for another. Only rank 0 saves, generates samples and measures, which can take many
minutes on a slow disk. torch's default for GPUs is 10 minutes."""


@dataclass(frozen=True)
class World:
    """This process's rank, and the number of ranks.

    Attributes:
        rank: 0 to size - 1; only rank 0 writes files and prints.
        size: number of processes.
        local_rank: index of this rank's device on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, the one that writes."""
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """Sums numbers of the host over all ranks, in float64. Does not wait for a GPU."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def largest(self, value: float) -> float:
        """Returns the largest value of all ranks."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(box, op=dist.ReduceOp.MAX)
        return float(box.item())

    def broadcast_from_rank0(self, value: float) -> float:
        """Returns rank 0's value on every rank, so that all decide alike although their clocks differ."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(box, src=0)
        return float(box.item())

    def share(self, content: bytes | None) -> bytes:
        """Returns rank 0's bytes on every rank; the other ranks pass None."""
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
            TuppenceError: `work` raised it, and this is rank 0.
            OtherRankError: `work` raised a TuppenceError on rank 0, and this is another rank.
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
        """Returns rank 0's tensors by name on the CPU of every rank; the other ranks pass None."""
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
        """Checks that a text is the same on all ranks.

        Args:
            otherwise: message of the error.

        Raises:
            InputError: the text of a rank differs from rank 0's; raised on rank 0.
            OtherRankError: the same on the other ranks.
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


def world_size() -> int:
    """Returns the number of ranks that torchrun's environment variables describe, also before `join_world`.

    Raises:
        InputError: the variable is not a number.
    """
    return _from_environment("WORLD_SIZE", 1)


def join_world(device: str) -> tuple[World, str]:
    """Joins the process group that torchrun's environment variables describe. Without them there is one rank.

    Args:
        device: the user's choice: "cpu" (gloo), "cuda" (nccl, each rank on its own GPU; gloo for tensors on the CPU),
            "cuda:N" or "mps" (only without torchrun).

    Returns:
        This process's world, and its device.

    Raises:
        InputError: torchrun's environment is incomplete, there are more ranks than GPUs, or all ranks would share one.
    """
    size = world_size()
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
        raise InputError(
            f"RANK={rank} in the environment is not below WORLD_SIZE={size}", "start the processes with torchrun"
        )
    _from_environment("MASTER_PORT", 1)
    local_rank = _from_environment("LOCAL_RANK", 0)
    device = _device_of(device, local_rank)
    if not dist.is_initialized():
        gpu = None if device == "cpu" else torch.device(device)
        if gpu is not None:
            torch.cuda.set_device(gpu)  # before the group is created: each rank then has a context only on its own GPU
        dist.init_process_group("gloo" if gpu is None else "cpu:gloo,cuda:nccl", device_id=gpu, timeout=LONGEST_WAIT)
    return World(dist.get_rank(), size, local_rank), device


def _device_of(device: str, local_rank: int) -> str:
    """Returns the device of one of several ranks on this machine."""
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
        raise InputError(f"{name}={text} in the environment is not a number that torchrun sets", f"unset {name}")
    return int(text)


def leave_world() -> None:
    """Closes the process group, if there is one, and ends its threads before the interpreter exits.

    A group exists as long as an object refers to it, and its threads must not run while the interpreter exits. Two
    objects would refer to it: DistributedDataParallel (see `ParallelLoss.release`), and torch.distributed.nn, whose
    functions have the group that exists when they are imported as a default argument. DistributedDataParallel imports
    that module; this file imports it earlier, before a group is created. A model that the ranks divide refers to it,
    too: the caller has dropped it, and its reference cycles and DTensor's caches are dropped here.
    """
    if dist.is_initialized():
        if (debug := sys.modules.get("torch.distributed.tensor.debug")) is not None:  # `shards` imports it
            gc.collect()
            getattr(debug, "_clear_sharding_prop_cache", lambda: None)()
        dist.destroy_process_group()

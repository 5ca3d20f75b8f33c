"""The objective's loss as one thing to call, whatever stands behind it: one process or several, compiled or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tuppence.training.distributed import World
from tuppence.training.objective import Batch, Objective

LossAndMetrics = tuple[Tensor, dict[str, Tensor]]


@dataclass(frozen=True)
class Machine:
    """What the loop runs on, decided once per run and kept in run.yaml: a resumed run computes the same bits."""

    device: str
    precision: str
    compile: bool
    world: World = field(default_factory=World)
    batches_at_once: int = 1

    def sum(self, values: list[float]) -> list[float]:
        """A few numbers of the host, added up over all ranks; no GPU is waited for."""
        return self.world.sum(values, "cpu")

    def largest(self, value: float) -> float:
        """The largest of all ranks' numbers."""
        return self.world.largest(value, "cpu")

    def agree(self, value: float) -> float:
        """Rank 0's number, on every rank."""
        return self.world.broadcast(value, "cpu")

    def take(self, batch: Batch) -> Batch:
        """A batch, on the device. The copy to a GPU goes through pinned memory, and nothing waits for it."""
        if self.device == "cpu":
            return batch
        pins = self.device.startswith("cuda")
        return tuple(
            (tensor.pin_memory() if pins and tensor.device.type == "cpu" else tensor).to(self.device, non_blocking=True)
            for tensor in batch
        )

    def sum_on_device(self, values: Tensor) -> Tensor:
        """Numbers on the device, added up over all ranks there; in float64 where the device has it."""
        if self.world.size == 1:
            return values
        total = values if self.device.startswith("mps") else values.double()
        dist.all_reduce(total)
        return total

    def fetch(self, values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
        """Numbers on their way to the host, and what to synchronize with before they are read; None: at once."""
        if not self.device.startswith("cuda"):
            return values, None
        host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        host.copy_(values, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return host, arrived


class ParallelLoss:
    """Loss and metrics of a batch, with gradients that are exchanged between ranks.

    Args:
        objective, model: whose loss.
        machine: how many ranks, and whether torch compiles.
    """

    def __init__(self, objective: Objective, model: nn.Module, machine: Machine) -> None:
        module: Any = _Loss(objective, model)
        self._exchanging: DistributedDataParallel | None = None
        if machine.world.size > 1:
            devices = [machine.world.local_rank] if machine.device.startswith("cuda") else None
            module = self._exchanging = DistributedDataParallel(module, device_ids=devices)
        self._call: Callable[..., LossAndMetrics] = torch.compile(module) if machine.compile else module

    def __call__(self, batch: Batch) -> LossAndMetrics:
        return self._call(*batch)

    def release(self) -> None:
        """Lets go of what holds the process group: it can be closed only when nothing else has it."""
        self._exchanging, self._call = None, _released

    def exchanging(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Ranks exchange gradients with the last micro-batch only."""
        if self._exchanging is None or last:
            return contextlib.nullcontext()
        without: contextlib.AbstractContextManager[None] = self._exchanging.no_sync()
        return without


def _released(*_: Tensor) -> LossAndMetrics:
    raise RuntimeError("the loss was asked after it had been released")


class _Loss(nn.Module):
    """The loss as a module, so that torch can wrap model and loss together."""

    def __init__(self, objective: Objective, model: nn.Module) -> None:
        super().__init__()
        self.objective, self.model = objective, model

    def forward(self, *batch: Tensor) -> LossAndMetrics:
        return self.objective.loss(self.model, *batch)

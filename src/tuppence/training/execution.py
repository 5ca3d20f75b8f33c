"""What a run computes on: device, precision, compilation, ranks. Decided once per run and kept in run.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from tuppence.training.distributed import World
from tuppence.training.objective import Batch


@dataclass(frozen=True)
class Execution:
    """How a run is computed; a resumed run computes in the same way, and so the same bits.

    Attributes:
        device: torch's name of it.
        precision: "float32", "bf16" or "fp16", of the matrix products.
        compile: whether torch.compile is used.
        world: the ranks.
        batches_at_once: how many micro-batches are computed together.
    """

    device: str
    precision: str
    compile: bool
    world: World = field(default_factory=World)
    batches_at_once: int = 1

    def to_device(self, batch: Batch) -> Batch:
        """The batch on the device. The copy to a GPU goes through pinned memory, and nothing waits for it."""
        if self.device == "cpu":
            return batch
        pins = self.device.startswith("cuda")
        return tuple(
            (tensor.pin_memory() if pins and tensor.device.type == "cpu" else tensor).to(self.device, non_blocking=True)
            for tensor in batch
        )

    def sum_on_device(self, values: Tensor) -> Tensor:
        """Adds up a tensor over all ranks, on the device; in float64 where the device has it."""
        if self.world.size == 1:
            return values
        total = values if self.device.startswith("mps") else values.double()
        dist.all_reduce(total)
        return total

    def fetch(self, values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
        """Starts a copy to the host; returns it and the event to synchronize with before it is read (None: at once)."""
        if not self.device.startswith("cuda"):
            return values, None
        host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        host.copy_(values, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return host, arrived

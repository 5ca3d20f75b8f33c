"""How a run is computed: device, precision, compilation, ranks. Decided once for each run and recorded in run.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from tuppence.training.distributed import World
from tuppence.training.objective import Batch


@dataclass(frozen=True)
class Execution:
    """How a run is computed. A resumed run has the same values, so it computes the same bits.

    Attributes:
        device: torch's name of the device.
        precision: precision of matrix products: "float32", "bf16" or "fp16".
        compile: whether torch.compile is used.
        world: the ranks.
        batches_at_once: how many micro-batches are computed together.
        parallel: "ddp", every rank has the whole model; or "fsdp", the ranks divide it.
    """

    device: str
    precision: str
    compile: bool
    world: World = field(default_factory=World)
    batches_at_once: int = 1
    parallel: str = "ddp"

    @property
    def sharded(self) -> bool:
        """Whether the model is divided among several ranks."""
        return self.parallel == "fsdp" and self.world.size > 1

    def to_device(self, batch: Batch) -> Batch:
        """Returns the batch on the device. A copy to a GPU is asynchronous, through pinned memory."""
        if self.device == "cpu":
            return batch
        pins = self.device.startswith("cuda")
        return tuple(
            (tensor.pin_memory() if pins and tensor.device.type == "cpu" else tensor).to(self.device, non_blocking=True)
            for tensor in batch
        )

    def sum_on_device(self, values: Tensor) -> Tensor:
        """Sums a tensor over all ranks, on the device; in float64 if the device supports it."""
        if self.world.size == 1:
            return values
        total = values if self.device.startswith("mps") else values.double()
        dist.all_reduce(total)
        return total

    def fetch(self, values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
        """Starts a copy to the host. Returns the copy, and the event to wait for before reading it; None on a CPU."""
        if not self.device.startswith("cuda"):
            return values, None
        host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        host.copy_(values, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return host, arrived

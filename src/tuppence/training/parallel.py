"""The objective's loss as one function, for one or several ranks, compiled or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tuppence.training.execution import Execution
from tuppence.training.objective import Batch, Objective

if TYPE_CHECKING:
    from tuppence.training.shards import Shards

LossAndMetrics = tuple[Tensor, dict[str, Tensor]]


class ParallelLoss:
    """Loss and metrics of a batch. The backward pass averages the gradients over the ranks.

    Args:
        objective, model: the objective's loss is computed on the model.
        execution: number of ranks, whether they divide the model, and whether torch compiles.

    Attributes:
        shards: this rank's part of a model that is divided among the ranks; None otherwise.
    """

    def __init__(self, objective: Objective[Any], model: nn.Module, execution: Execution) -> None:
        module: Any = _Loss(objective, model)
        self._parallel: DistributedDataParallel | None = None
        self.shards: Shards | None = None
        if execution.sharded:
            from tuppence.training.shards import Shards  # imports torch's compiler, for 2 s

            self.shards = Shards(module, model, execution)
        elif execution.world.size > 1:
            devices = [execution.world.local_rank] if execution.device.startswith("cuda") else None
            module = self._parallel = DistributedDataParallel(module, device_ids=devices)
        self._call: Callable[..., LossAndMetrics] = module
        if execution.compile and self.shards is None:
            self._call = torch.compile(module)
        self._held_out: Callable[..., LossAndMetrics] = module if self.shards else _Loss(objective, model)

    def __call__(self, batch: Batch) -> LossAndMetrics:
        return self._call(*batch)

    def held_out(self, batch: Batch) -> LossAndMetrics:
        """The loss without gradients, never compiled. Ranks that divide the model must all call it."""
        return self._held_out(*batch)

    def release(self) -> None:
        """Drops DistributedDataParallel or FSDP, whose references to the process group keep it from being closed."""
        self._parallel, self.shards, self._call, self._held_out = None, None, _released, _released

    def sync_gradients(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Context for one micro-batch: the ranks exchange gradients only in the last one of a step."""
        if self.shards is not None:
            self.shards.sync_gradients(last)
        if self._parallel is None or last:
            return contextlib.nullcontext()
        without: contextlib.AbstractContextManager[None] = self._parallel.no_sync()
        return without


def _released(*_: Tensor) -> LossAndMetrics:
    raise RuntimeError("the loss was called after it had been released")


class _Loss(nn.Module):
    """The loss as a module, so that torch can wrap model and loss together."""

    def __init__(self, objective: Objective[Any], model: nn.Module) -> None:
        super().__init__()
        self.objective, self.model = objective, model

    def forward(self, *batch: Tensor) -> LossAndMetrics:
        return self.objective.loss(self.model, *batch)

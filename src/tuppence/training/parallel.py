"""The objective's loss as one function, for one or several ranks, compiled or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tuppence.training.execution import Execution
from tuppence.training.objective import Batch, Objective

LossAndMetrics = tuple[Tensor, dict[str, Tensor]]


class ParallelLoss:
    """Loss and metrics of a batch. The backward pass averages the gradients over the ranks.

    Args:
        objective, model: the objective's loss is computed on the model.
        execution: number of ranks, and whether torch compiles.
    """

    def __init__(self, objective: Objective[Any], model: nn.Module, execution: Execution) -> None:
        module: Any = _Loss(objective, model)
        self._parallel: DistributedDataParallel | None = None
        if execution.world.size > 1:
            devices = [execution.world.local_rank] if execution.device.startswith("cuda") else None
            module = self._parallel = DistributedDataParallel(module, device_ids=devices)
        self._call: Callable[..., LossAndMetrics] = torch.compile(module) if execution.compile else module

    def __call__(self, batch: Batch) -> LossAndMetrics:
        return self._call(*batch)

    def release(self) -> None:
        """Drops DistributedDataParallel, whose reference to the process group keeps it from being closed."""
        self._parallel, self._call = None, _released

    def sync_gradients(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Context for one micro-batch: the ranks exchange gradients only in the last one of a step."""
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

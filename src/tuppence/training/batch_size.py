"""`train.batch_size: auto`: computes as many micro-batches together as the memory of the GPU allows.

A GPU is fastest with large matrices, and its memory limits their size. The number of sequences of an optimizer step
belongs to the recipe. The recipe therefore gives the sequences of a step, the objective divides them into small batches
of equal shape, and `step` joins some of these batches into one. The gradients are the same up to rounding.

Used by `session`, which keeps the number in run.yaml, so that a continued run computes the same bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tuppence.model.precision import autocast
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution
from tuppence.training.objective import Batch, Objective
from tuppence.training.trainable import trainable_parameters

USABLE = 0.85
"""Share of a GPU's memory to plan for; the rest is for fragments, kernels' workspaces and other programs."""


def join(batches: list[Batch], count: int) -> list[Batch]:
    """Joins every `count` consecutive batches of equal shapes into one; other batches are unchanged.

    Example:
        >>> batches = [(torch.tensor([[number]]),) for number in range(5)]
        >>> [batch[0].flatten().tolist() for batch in join(batches, 2)]
        [[0, 1], [2, 3], [4]]
    """
    joined: list[Batch] = []
    for start in range(0, len(batches), count):
        group = batches[start : start + count]
        if len({tuple(tensor.shape for tensor in batch) for batch in group}) == 1:
            joined.append(tuple(torch.cat(parts) for parts in zip(*group, strict=True)) if len(group) > 1 else group[0])
        else:
            joined += group
    return joined


def batches_at_once(objective: Objective[Any], model: nn.Module, execution: Execution, config: TrainConfig) -> int:
    """The number of micro-batches to compute at once: it fits into memory and divides the number of a step.

    Measures the memory of forward and backward with one and with two batches, and extrapolates linearly. The
    measurement is not compiled; a compiled step takes at most as much memory. Returns 1 on a CPU, where larger batches
    are not faster.
    """
    if config.batches_at_once != "auto":
        return config.batches_at_once
    if not execution.device.startswith("cuda") or config.accumulation_steps == 1:
        return 1
    one, two = (_peak_bytes(objective, model, execution, count) for count in (1, 2))
    total = torch.cuda.get_device_properties(execution.device).total_memory
    state = 12 * sum(
        parameter.numel() for parameter in trainable_parameters(model).values()
    )  # gradient and two moments
    room = USABLE * total - torch.cuda.memory_allocated(execution.device) - state
    return fitting(one, two, room, config.accumulation_steps)


def fitting(one: float, two: float, room: float, steps: int) -> int:
    """The largest divisor of `steps` whose memory fits.

    Args:
        one, two: bytes that one batch and two batches at once take.
        room: bytes that are available.

    Example:
        >>> fitting(one=3.0, two=5.0, room=20.0, steps=12)
        6
    """
    each = max(two - one, 1.0)
    most = max(1, int((room - one) / each) + 1)
    return max(divisor for divisor in range(1, steps + 1) if steps % divisor == 0 and divisor <= most)


def _peak_bytes(objective: Objective[Any], model: nn.Module, execution: Execution, count: int) -> float:
    """Peak memory of forward and backward of `count` batches, without the memory already allocated."""
    (batch,) = join(objective.batches(0, execution.world.rank, execution.world.size)[:count], count)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(execution.device)
    torch.cuda.reset_peak_memory_stats(execution.device)
    with autocast(execution.device, execution.precision):
        loss, _ = objective.loss(model, *execution.to_device(batch))
    loss.backward()  # type: ignore[no-untyped-call]
    model.zero_grad(set_to_none=True)
    del loss
    return float(torch.cuda.max_memory_allocated(execution.device) - before)

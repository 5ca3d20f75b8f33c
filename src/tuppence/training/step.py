"""One optimizer step: gradients of all micro-batches, one decision whether they are finite, one update.

Nothing in here waits for the device. Whether loss and gradient are finite is decided there, and an update that is not
leaves weights, moments and step counts as they are; `Step.outcomes` tells the host about it one step later, or at once
where it is asked to wait. Meanwhile the host prepares the next batches, so that a GPU always has work.

Called by `loop`. What a batch or a loss is, `tasks` says; which rank has which batch, the objective.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tuppence.model.loss import allow_logits
from tuppence.model.precision import autocast
from tuppence.training.batch_size import join
from tuppence.training.config import TrainConfig
from tuppence.training.determinism import ordered_kernels, step_seed
from tuppence.training.finite import require_finite_step
from tuppence.training.objective import Objective, Sums, count_targets
from tuppence.training.optim import Optimizers
from tuppence.training.parallel import Machine, ParallelLoss
from tuppence.training.precision import LossScale


@dataclass(frozen=True)
class Outcome:
    """What one step came to, over all ranks and micro-batches.

    Attributes:
        targets: valid targets.
        sums: the loss and the metrics, summed over them.
        norm: of the whole gradient, before clipping.
        loss_scale: of fp16, after the step; None at the other precisions.
    """

    targets: int
    sums: dict[str, float]
    norm: float
    loss_scale: float | None


@dataclass(frozen=True)
class _Pending:
    """An outcome on its way from the device."""

    step: int
    targets: int
    names: tuple[str, ...]
    values: Tensor
    arrived: torch.cuda.Event | None


@dataclass(frozen=True)
class Gradients:
    """What `Step.accumulate` left in the parameters' `grad`, before anything is updated.

    Attributes:
        targets, tokens: over all ranks and micro-batches.
        sums: the loss and the metrics of this rank, on the device.
    """

    step: int
    targets: int
    tokens: int
    sums: Sums


class Step:
    """Makes steps.

    Args:
        objective, model, config, machine: the run's.
        optimizers, scale: changed by every step.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        model: nn.Module,
        config: TrainConfig,
        machine: Machine,
        optimizers: Optimizers,
        scale: LossScale,
    ) -> None:
        self._objective, self._model, self._config, self._machine = objective, model, config, machine
        self._optimizers, self._scale = optimizers, scale
        self._pending: deque[_Pending] = deque()
        allow_logits(machine.device)
        self.loss = ParallelLoss(objective, model, machine)

    def accumulate(self, step: int) -> Gradients:
        """Adds up the gradients of the step's micro-batches; no weight changes.

        Raises:
            InputError: `train.deterministic`, and an operation has no ordered version here.
        """
        machine, config = self._machine, self._config
        torch.manual_seed(step_seed(config.seed, step, machine.world.rank))  # dropout; stateless: resume is exact
        with autocast(machine.device, machine.precision):
            self._objective.prepare(step, self._model)
        batches = self._objective.batches(step, machine.world.rank, machine.world.size)
        counts = [float(sum(map(count, batches))) for count in (count_targets, self._objective.tokens)]
        targets, tokens = machine.sum(counts)
        sums = Sums(self._objective.metrics, machine.device)
        batches = join(batches, machine.batches_at_once)
        for index, batch in enumerate(batches):
            with ordered_kernels(config.deterministic), self.loss.exchanging(last=index == len(batches) - 1):
                with autocast(machine.device, machine.precision):
                    loss, metrics = self.loss(machine.take(batch))
                # divided once by the *global* number of targets; DistributedDataParallel averages over ranks
                torch.autograd.backward(self._scale.scale(loss * (machine.world.size / max(targets, 1.0))))
            sums.add(loss, metrics)
        return Gradients(step, int(targets), int(tokens), sums)

    def update(self, gradients: Gradients) -> None:
        """Clips and updates, or does neither where loss or gradient are not finite; forgets the gradients."""
        machine, parameters = self._machine, self._optimizers.parameters()
        present = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self._scale.unscale_(present)
        norm = nn.utils.get_total_norm(present)
        if self._config.gradient_clip:
            nn.utils.clip_grads_with_norm_(parameters, self._config.gradient_clip, norm)
        sums = machine.sum_on_device(gradients.sums.as_tensor())
        finite = norm.isfinite()
        self._optimizers.step(finite & sums[0].isfinite())
        self._optimizers.zero_grad()
        self._scale.update(finite)
        seen = torch.cat([sums, torch.stack([norm, self._scale.snapshot()]).to(sums.dtype)])
        values, arrived = machine.fetch(seen)
        self._pending.append(_Pending(gradients.step, gradients.targets, gradients.sums.names, values, arrived))

    def outcomes(self, *, all_of_them: bool) -> list[Outcome]:
        """The outcomes that were not told yet, oldest first.

        Args:
            all_of_them: wait for every step; else only for those before the last one, where the device is asynchronous.

        Raises:
            NonFiniteError: the loss or a gradient of a step was not finite (in fp16: of too many steps in a row).
        """
        told = []
        while self._pending and (all_of_them or self._pending[0].arrived is None or len(self._pending) > 1):
            told.append(self._tell(self._pending.popleft()))
        return told

    def _tell(self, pending: _Pending) -> Outcome:
        if pending.arrived is not None:
            pending.arrived.synchronize()
        *sums, norm, scale = pending.values.tolist()
        scaled = self._scale.is_enabled()
        require_finite_step(sums[0], norm, step=pending.step, scaled=scaled)
        self._scale.count(math.isfinite(norm), scale, step=pending.step)
        return Outcome(pending.targets, dict(zip(pending.names, sums, strict=True)), norm, scale if scaled else None)

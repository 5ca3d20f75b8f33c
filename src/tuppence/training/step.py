"""One optimizer step: gradients of all micro-batches, a check that they are finite, one update.

The host does not wait for the device. The device checks whether loss and gradient are finite; if they are not, weights,
moments and step counts stay unchanged. `Step.outcomes` returns the result one step later, or at once if asked to wait.
Meanwhile the host prepares the next batches, so that a GPU always has work.

Called by `loop`. `tasks` defines batches and losses.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tuppence.model.loss import allow_logits
from tuppence.model.precision import autocast
from tuppence.training.batch_size import join
from tuppence.training.config import TrainConfig
from tuppence.training.determinism import ordered_kernels, step_seed
from tuppence.training.execution import Execution
from tuppence.training.finite import require_finite_step
from tuppence.training.objective import Objective, Sums, count_targets
from tuppence.training.optim import Optimizers
from tuppence.training.parallel import ParallelLoss
from tuppence.training.precision import gradient_scaler
from tuppence.training.trainable import trainable_parameters


@dataclass(frozen=True)
class Outcome:
    """The result of one step, over all ranks and micro-batches.

    Attributes:
        step: its number, from 0.
        targets, tokens: valid targets, and tokens.
        sums: the loss and the metrics, summed over the targets.
        norm: norm of the whole gradient, before clipping.
        loss_scale: the factor of fp16 after the step; None for other precisions.
    """

    step: int
    targets: int
    tokens: int
    sums: dict[str, float]
    norm: float
    loss_scale: float | None

    @property
    def updated(self) -> bool:
        """Whether the weights were updated: loss and gradient are finite."""
        return math.isfinite(self.sums["loss"]) and math.isfinite(self.norm)


@dataclass(frozen=True)
class Gradients:
    """Describes the gradients in the parameters' `grad` after `Step.accumulate`.

    Attributes:
        targets, tokens: over all ranks and micro-batches.
        sums: the loss and the metrics of this rank, on the device.
    """

    step: int
    targets: int
    tokens: int
    sums: Sums


@dataclass(frozen=True)
class _Pending:
    """An outcome whose values are being copied from the device."""

    gradients: Gradients
    values: Tensor
    arrived: torch.cuda.Event | None


class Step:
    """The model, its objective and its optimizers; computes single steps.

    Attributes:
        objective, model, config, execution: the arguments of the constructor.
        optimizers, scaler: for the model's trainable parameters; changed by every step.
        loss: the objective's loss, over all ranks.
    """

    def __init__(self, objective: Objective[Any], model: nn.Module, config: TrainConfig, execution: Execution) -> None:
        self.objective, self.model, self.config, self.execution = objective, model, config, execution
        self.loss = ParallelLoss(objective, model, execution)  # may divide the model: before the optimizers
        self.optimizers = Optimizers(self.parameters.items(), config, execution.device)
        self.scaler = gradient_scaler(execution.device, execution.precision)
        self._pending: deque[_Pending] = deque()
        allow_logits(execution.device)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trainable parameters by name; only this rank's rows of them if the ranks divide the model."""
        return trainable_parameters(self.model) if self.loss.shards is None else self.loss.shards.local

    def accumulate(self, step: int) -> Gradients:
        """Sums the gradients of the step's micro-batches. Changes no weights.

        Raises:
            InputError: `train.deterministic` is set, and an operation has no ordered version on this device.
        """
        execution, config, world = self.execution, self.config, self.execution.world
        torch.manual_seed(step_seed(config.seed, step, world.rank))  # dropout; stateless: resume is exact
        with autocast(execution.device, execution.precision):
            self.objective.prepare(step, self.model)
        batches = self.objective.batches(step, world.rank, world.size)
        counts = [float(sum(map(count, batches))) for count in (count_targets, self.objective.tokens)]
        targets, tokens = world.sum(counts)
        sums = Sums(self.objective.metrics, execution.device)
        batches = join(batches, execution.batches_at_once)
        for index, batch in enumerate(batches):
            with ordered_kernels(config.deterministic), self.loss.sync_gradients(last=index == len(batches) - 1):
                with autocast(execution.device, execution.precision):
                    loss, metrics = self.loss(execution.to_device(batch))
                # divided once by the *global* number of targets; DistributedDataParallel and FSDP average over ranks
                torch.autograd.backward(self.scaler.scale(loss * (world.size / max(targets, 1.0))))
            sums.add(loss, metrics)
        return Gradients(step, int(targets), int(tokens), sums)

    def update(self, gradients: Gradients) -> None:
        """Clips the gradient and updates the weights if loss and gradient are finite; then clears the gradients."""
        if self.loss.shards is not None:
            self.loss.shards.take_gradients()
        parameters = self.optimizers.parameters()
        present = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.scaler.unscale_(present)
        norm = nn.utils.get_total_norm(present)
        if self.loss.shards is not None:
            norm = self.loss.shards.norm(norm)
        if self.config.gradient_clip and not self._is_small(norm):
            nn.utils.clip_grads_with_norm_(parameters, self.config.gradient_clip, norm)
        sums = self.execution.sum_on_device(gradients.sums.as_tensor())
        finite = norm.isfinite()
        self.optimizers.step(finite & sums[0].isfinite())
        self.optimizers.zero_grad()
        self.scaler.update(finite)
        seen = torch.cat([sums, torch.stack([norm, self.scaler.snapshot()]).to(sums.dtype)])
        values, arrived = self.execution.fetch(seen)
        self._pending.append(_Pending(gradients, values, arrived))

    def _is_small(self, norm: Tensor) -> bool:
        """Whether clipping would multiply all gradients by 1, which takes 3 % of a step on a CPU. Always False on other
        devices, where the host would have to wait for the number."""
        return norm.device.type == "cpu" and bool(norm + 1e-6 <= self.config.gradient_clip)

    def outcomes(self, *, all_of_them: bool) -> Iterator[Outcome]:
        """Yields the outcomes that were not returned before, oldest first.

        Args:
            all_of_them: whether to wait for the last step too if the device is asynchronous.
        """
        while self._pending and (all_of_them or self._pending[0].arrived is None or len(self._pending) > 1):
            pending = self._pending.popleft()
            if pending.arrived is not None:
                pending.arrived.synchronize()
            *sums, norm, scale = pending.values.tolist()
            of = pending.gradients
            named = dict(zip(of.sums.names, sums, strict=True))
            loss_scale = scale if self.scaler.is_enabled() else None
            yield Outcome(of.step, of.targets, of.tokens, named, norm, loss_scale)

    def require_finite(self, outcome: Outcome) -> None:
        """Raises if a step was not finite; with fp16, if too many steps in a row were not.

        Raises:
            NonFiniteError: the run must stop; the update was not applied.
        """
        scaled = outcome.loss_scale is not None
        require_finite_step(outcome.sums["loss"], outcome.norm, step=outcome.step, scaled=scaled)
        if outcome.loss_scale is not None:
            self.scaler.count(math.isfinite(outcome.norm), outcome.loss_scale, step=outcome.step)

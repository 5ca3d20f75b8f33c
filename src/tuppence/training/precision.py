"""Mixed precision: float32 weights, matrix products in bf16 or fp16 where the device gains by it.

bf16 has float32's range and needs nothing else. fp16 does not: small gradients become zero, so the loss is scaled up
and the gradients are scaled down again (Micikevicius et al. 2018, arXiv:1710.03740).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from tuppence.training.finite import require_usable_scale


class LossScale:
    """The factor of the loss in fp16: halved where a gradient overflows, doubled after 2,000 steps without overflow.

    It computes what `torch.amp.GradScaler` computes and reads and writes its state. Unlike it, it takes one decision
    for all optimizers together, and takes it on the device: nothing waits for the result.

    Args:
        device: as torch names it.
        enabled: False at the other precisions: the loss and the gradients stay as they are.
        growth_interval: steps without overflow after which the factor is doubled.

    Attributes:
        skipped: steps of the run that were skipped because a gradient was not finite.
    """

    def __init__(self, device: str, *, enabled: bool, initial: float = 2.0**16, growth_interval: int = 2000) -> None:
        self._enabled, self._interval = enabled, growth_interval
        self._scale = torch.tensor(initial, device=device)
        self._steps_without_overflow = torch.tensor(0, dtype=torch.int32, device=device)
        self.skipped = 0
        self._skipped_in_a_row = 0

    def is_enabled(self) -> bool:
        """Whether the loss is scaled at all."""
        return self._enabled

    def get_scale(self) -> float:
        """The present factor; waits for the device."""
        return float(self._scale) if self._enabled else 1.0

    def snapshot(self) -> Tensor:
        """The present factor as a tensor on the device, which later updates leave alone."""
        return self._scale.clone()

    def scale(self, loss: Tensor) -> Tensor:
        """The loss times the factor."""
        return loss * self._scale if self._enabled else loss

    def unscale_(self, gradients: Iterable[Tensor]) -> None:
        """Divides the gradients by the factor, in place."""
        if self._enabled:
            torch._foreach_mul_(list(gradients), self._scale.reciprocal())

    def update(self, finite: Tensor) -> None:
        """Adapts the factor to a step, on the device.

        Args:
            finite: bool scalar: whether every gradient was.
        """
        if not self._enabled:
            return
        steps = self._steps_without_overflow + 1
        grown = torch.where(steps == self._interval, self._scale * 2.0, self._scale)
        grown = torch.where(grown.isfinite(), grown, self._scale)
        self._scale = torch.where(finite, grown, self._scale * 0.5)
        self._steps_without_overflow = torch.where(finite & (steps < self._interval), steps, 0).to(torch.int32)

    def count(self, finite: bool, scale: float, *, step: int) -> None:
        """Keeps count of skipped steps.

        Args:
            finite: whether every gradient of this step was.
            scale: the factor after it.

        Raises:
            NonFiniteError: too many steps in a row were skipped.
        """
        if not self._enabled:
            return
        self.skipped += not finite
        self._skipped_in_a_row = 0 if finite else self._skipped_in_a_row + 1
        require_usable_scale(scale, self._skipped_in_a_row, step=step)

    def state_dict(self) -> dict[str, Any]:
        """The state, with the names of `torch.amp.GradScaler`'s; {} where the loss is not scaled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": 2.0,
            "backoff_factor": 0.5,
            "growth_interval": self._interval,
            "_growth_tracker": int(self._steps_without_overflow),
            "skipped": self.skipped,
            "skipped_in_a_row": self._skipped_in_a_row,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what `state_dict` gave; the initial factor stays where a run at another precision gave nothing."""
        if not self._enabled or not state:
            return
        scale = float(state["scale"])
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"the loss scale is {scale}")
        self._scale = torch.full_like(self._scale, scale)
        self._steps_without_overflow = torch.full_like(self._steps_without_overflow, int(state["_growth_tracker"]))
        self.skipped = int(state.get("skipped", 0))
        self._skipped_in_a_row = int(state.get("skipped_in_a_row", 0))


def gradient_scaler(device: str, precision: str) -> LossScale:
    """The loss scale of fp16; at the other precisions one that does nothing."""
    return LossScale(device, enabled=precision == "fp16")

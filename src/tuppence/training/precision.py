"""Loss scaling for mixed precision: float32 weights, and matrix products in bf16 or fp16.

bf16 has the range of float32 and needs no scaling. In fp16 small gradients become zero. So the loss is scaled up, and
the gradients are scaled down again (Micikevicius et al. 2018, arXiv:1710.03740).
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

    It computes the same as `torch.amp.GradScaler`, and its state has the same format. But it makes one decision for all
    optimizers together, and on the device, so the host does not wait for it.

    Args:
        device: torch's name of the device.
        enabled: False for other precisions: loss and gradients are not changed.
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
        """Whether the loss is scaled."""
        return self._enabled

    def get_scale(self) -> float:
        """Returns the present factor; waits for the device."""
        return float(self._scale) if self._enabled else 1.0

    def snapshot(self) -> Tensor:
        """Returns the present factor as a new tensor on the device."""
        return self._scale.clone()

    def scale(self, loss: Tensor) -> Tensor:
        """Returns the loss times the factor."""
        return loss * self._scale if self._enabled else loss

    def unscale_(self, gradients: Iterable[Tensor]) -> None:
        """Divides the gradients by the factor, in place."""
        if self._enabled:
            torch._foreach_mul_(list(gradients), self._scale.reciprocal())

    def update(self, finite: Tensor) -> None:
        """Updates the factor after a step, on the device.

        Args:
            finite: bool scalar: whether all gradients were finite.
        """
        if not self._enabled:
            return
        steps = self._steps_without_overflow + 1
        grown = torch.where(steps == self._interval, self._scale * 2.0, self._scale)
        grown = torch.where(grown.isfinite(), grown, self._scale)
        self._scale = torch.where(finite, grown, self._scale * 0.5)
        self._steps_without_overflow = torch.where(finite & (steps < self._interval), steps, 0).to(torch.int32)

    def count(self, finite: bool, scale: float, *, step: int) -> None:
        """Counts skipped steps.

        Args:
            finite: whether all gradients of this step were finite.
            scale: the factor after this step.

        Raises:
            NonFiniteError: too many steps in a row were skipped.
        """
        if not self._enabled:
            return
        self.skipped += not finite
        self._skipped_in_a_row = 0 if finite else self._skipped_in_a_row + 1
        require_usable_scale(scale, self._skipped_in_a_row, step=step)

    def state_dict(self) -> dict[str, Any]:
        """Returns the state, with the keys of `torch.amp.GradScaler`; {} if the loss is not scaled."""
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
        """Restores the state that `state_dict` returned. {}, from a run with another precision, changes nothing."""
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
    """Returns the loss scale of fp16; for other precisions one that does nothing."""
    return LossScale(device, enabled=precision == "fp16")

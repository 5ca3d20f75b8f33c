"""A run stops where its numbers stop being numbers, before they reach a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from tuppence.core.errors import NonFiniteError

STANDS = "the run stops, and what it saved before stands"


def require_finite_step(loss: float, norm: float, *, step: int, scaled: bool) -> None:
    """Refuses to update weights with such numbers.

    Args:
        loss, norm: of the step's loss and of its gradient.
        scaled: with fp16, an infinite gradient is the scaler's business: it skips the step and lowers the scale.

    Raises:
        NonFiniteError: one of them is not finite.
    """
    if math.isfinite(loss) and (math.isfinite(norm) or scaled):
        return
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
    raise NonFiniteError(
        f"{what} at step {step}; {STANDS}",
        "lower train.learning_rate, or lengthen train.warmup_steps, and start again",
    )


def require_finite_weights(parameters: Iterable[Tensor], *, step: int) -> None:
    """Refuses to keep such weights.

    Raises:
        NonFiniteError: one of them is not finite.
    """
    if not bool(torch.stack([parameter.isfinite().all() for parameter in parameters]).all()):
        raise NonFiniteError(
            f"a weight is not finite at step {step}; {STANDS}", "lower train.learning_rate and start again"
        )


def require_finite_validation(loss: float, *, step: int) -> None:
    """Refuses to call such weights the best.

    Raises:
        NonFiniteError: the validation loss is not finite.
    """
    if not math.isfinite(loss):
        raise NonFiniteError(f"the validation loss is {loss} at step {step}", "lower train.learning_rate")

"""Stop on NaN or inf in loss, gradient norm or weights, before they reach a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from tuppence.core.errors import NonFiniteError

SAVED = "the run stops; everything it saved before is intact"
MOST_SKIPPED = 20
"""Steps in a row that fp16 may skip: from 65,536 the loss scale has then fallen below 1."""


def require_finite_step(loss: float, norm: float, *, step: int, scaled: bool) -> None:
    """Raises if the loss or the gradient of a step is not finite; the update of the step was not applied.

    Args:
        loss, norm: the step's loss, and the norm of its gradient.
        scaled: with fp16, an infinite gradient is no error: the step is skipped and the loss scale lowered.

    Raises:
        NonFiniteError: one of them is not finite.
    """
    if math.isfinite(loss) and (math.isfinite(norm) or scaled):
        return
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
    raise NonFiniteError(
        f"{what} at step {step}; {SAVED}",
        "lower train.learning_rate, and start again",
    )


def require_usable_scale(scale: float, skipped_in_a_row: int, *, step: int) -> None:
    """Limits the number of skipped steps: a gradient that overflows at every loss scale has another cause.

    Args:
        scale: the factor of the loss in fp16.
        skipped_in_a_row: steps skipped, up to this one.

    Raises:
        NonFiniteError: the scale is below 1, or `MOST_SKIPPED` steps in a row were skipped.
    """
    if scale >= 1 and skipped_in_a_row < MOST_SKIPPED:
        return
    raise NonFiniteError(
        f"fp16: the gradient is not finite at step {step}, {skipped_in_a_row} steps in a row, down to a loss scale of "
        f"{scale:g}; {SAVED}",
        "train in a new run with train.precision=float32 (or bf16 where the device has it), or lower "
        "train.learning_rate",
    )


def all_finite(parameters: Iterable[Tensor]) -> bool:
    """Whether every element of these tensors is finite."""
    return bool(torch.stack([parameter.isfinite().all() for parameter in parameters]).all())


def require_finite_weights(finite: bool, *, step: int) -> None:
    """Raises if a weight is not finite, before it is saved.

    Args:
        finite: `all_finite` of the weights, of all ranks.

    Raises:
        NonFiniteError: a weight is not finite.
    """
    if not finite:
        raise NonFiniteError(
            f"a weight is not finite at step {step}; {SAVED}", "lower train.learning_rate and start again"
        )


def require_finite_validation(loss: float, *, step: int) -> None:
    """Raises if the validation loss is not finite, before the weights can become the best.

    Raises:
        NonFiniteError: the validation loss is not finite.
    """
    if not math.isfinite(loss):
        raise NonFiniteError(f"the validation loss is {loss} at step {step}", "lower train.learning_rate")

"""Loss and optimizer in their plainest form: chapter 5 explains them, and tests compare the fast code with them.

Training uses neither: the loss is `model.loss.summed_cross_entropy`, AdamW is torch's fused one (`optim`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuppence.data.buckets import IGNORED_TARGET


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The *sum* of -log softmax(logits)[target] over all targets that are not -100, in nats.

    log softmax is computed as x - max - log Σ exp(x - max): the largest exponential is 1, so none overflows.

    Args:
        logits: (…, V).
        targets: int64, (…), in [0, V) or -100.

    Example:
        With equal logits every token is equally likely:

        >>> loss = cross_entropy(torch.zeros(1, 8), torch.tensor([3]))
        >>> round(loss.item(), 4), round(float(torch.log(torch.tensor(8.0))), 4)
        (2.0794, 2.0794)
    """
    counted = targets != IGNORED_TARGET
    logits_NV, targets_N = logits[counted].float(), targets[counted]
    shifted_NV = logits_NV - logits_NV.amax(dim=-1, keepdim=True)
    log_probabilities_NV = shifted_NV - shifted_NV.exp().sum(dim=-1, keepdim=True).log()
    return -log_probabilities_NV.gather(1, targets_N[:, None]).sum()


@torch.no_grad()
def adamw_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: int,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.95,
    epsilon: float = 1e-8,
    weight_decay: float = 0.1,
) -> None:
    """One step of AdamW, in place (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2).

    Args:
        parameter, gradient: of equal shape.
        mean, square: the moving averages of the gradient and of its square; zeros before the first step.
        step: number of this step, from 1: the averages are divided by 1 - βᵗ, because they start at zero.
        weight_decay: taken from the parameter itself, not added to the gradient.
    """
    parameter *= 1 - lr * weight_decay
    mean += (1 - beta1) * (gradient - mean)
    square += (1 - beta2) * (gradient**2 - square)
    unbiased_mean, unbiased_square = mean / (1 - beta1**step), square / (1 - beta2**step)
    parameter -= lr * unbiased_mean / (unbiased_square.sqrt() + epsilon)

"""The readable loss and optimizer against torch's."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tuppence.model.loss import summed_cross_entropy
from tuppence.training.reference import adamw_step, cross_entropy


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_cross_entropy_is_torchs_sum_without_the_ignored_targets(scale: float) -> None:
    torch.manual_seed(0)
    logits, targets = scale * torch.randn(3, 5, 11), torch.randint(11, (3, 5))
    targets[1, 2:] = -100
    theirs = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    torch.testing.assert_close(cross_entropy(logits, targets), theirs)


def test_cross_entropy_is_the_loss_that_training_uses() -> None:
    torch.manual_seed(0)
    hidden, head, targets = torch.randn(7, 4), torch.randn(9, 4), torch.randint(9, (7,))
    torch.testing.assert_close(cross_entropy(hidden @ head.T, targets), summed_cross_entropy(hidden, head, targets))


def test_the_gradient_of_cross_entropy_is_torchs() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 7, requires_grad=True), torch.tensor([1, 2, -100, 0, 6])
    (ours,) = torch.autograd.grad(cross_entropy(logits, targets), logits)
    (theirs,) = torch.autograd.grad(F.cross_entropy(logits, targets, reduction="sum"), logits)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_twenty_steps_of_adamw_are_torchs(decay: float) -> None:
    torch.manual_seed(0)
    ours = torch.randn(4, 3, dtype=torch.float64)
    theirs = torch.nn.Parameter(ours.clone())
    optimizer = torch.optim.AdamW([theirs], lr=3e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=decay)
    mean, square = torch.zeros_like(ours), torch.zeros_like(ours)
    for step in range(1, 21):
        gradient = torch.randn_like(ours)
        adamw_step(ours, gradient, mean, square, step, lr=3e-2, beta1=0.9, beta2=0.95, weight_decay=decay)
        theirs.grad = gradient.clone()
        optimizer.step()
    torch.testing.assert_close(ours, theirs.detach())

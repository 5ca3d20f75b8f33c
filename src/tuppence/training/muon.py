"""Muon: momentum, orthogonalised, for the weight matrices inside the blocks.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces a matrix's momentum G = U S Vᵀ by U Vᵀ,
so that every direction moves by the same amount. A Newton–Schulz iteration computes U Vᵀ with matrix products only.

`torch.optim.Muon` iterates matrix by matrix, which takes a third of the step on small models. This version stacks
matrices of the same shape and iterates on all of them together; the updates are the same (a test compares both).
Not covered: embeddings, vectors and biases, which AdamW updates (see `optim`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of x ↦ ax + bx³ + cx⁵, chosen for the steepest slope at zero (Jordan et al. 2024)."""


def iteration_dtype(device: torch.device) -> torch.dtype:
    """The dtype of the iteration: bfloat16, except on NVIDIA GPUs before Ampere, which cannot multiply bfloat16.

    There it is float16 with tensor cores (Volta, Turing) and float32 without.
    """
    if device.type != "cuda":
        return torch.bfloat16
    major, _ = torch.cuda.get_device_capability(device)
    if major >= 8:
        return torch.bfloat16
    return torch.float16 if major == 7 else torch.float32


def orthogonalize(stack_NRC: Tensor, steps: int = 5) -> Tensor:
    """Brings each matrix of a stack close to U Vᵀ of its singular value decomposition.

    Args:
        stack_NRC: (N, rows, columns), any float type; N matrices of one shape.
        steps: Newton–Schulz iterations; after 5 every singular value is about 0.7 to 1.2.

    Returns:
        (N, rows, columns) in `iteration_dtype`, which is precise enough for the iteration.
    """
    a, b, c = NEWTON_SCHULZ
    dtype = iteration_dtype(stack_NRC.device)
    if dtype == torch.float16:  # gradients can be outside the range of float16
        stack_NRC = stack_NRC / stack_NRC.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-30)
    X = stack_NRC.to(dtype)
    tall = X.size(-2) > X.size(-1)
    if tall:  # makes the Gram matrix smaller; products of non-contiguous rows take twice as long
        X = X.mT.contiguous()
    X = X / X.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        A = X @ X.mT
        B = torch.baddbmm(A, A, A, beta=b, alpha=c)
        X = torch.baddbmm(X, B, X, beta=a)
    return X.mT if tall else X


class Muon(torch.optim.Optimizer):
    """Muon over parameters of two dimensions.

    The update is scaled by 0.2 √max(rows, columns), so that its root mean square equals that of AdamW's update and
    both can use the same learning rate and weight decay (Liu et al. 2025, arXiv:2502.16982).

    Args:
        params: matrices.
        lr: learning rate.
        momentum: Nesterov momentum.
        weight_decay: decoupled weight decay.

    Attributes:
        found_inf: as in torch's fused optimizers: a float scalar on the device; if it is 1, `step` changes nothing.

    Raises:
        ValueError: a parameter is not a matrix.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.1
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.found_inf: Tensor | None = None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    raise ValueError(f"Muon is for matrices, and this has shape {tuple(parameter.shape)}")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():
                self._update(parameters, group["lr"], group["momentum"], group["weight_decay"])

    def _update(self, parameters: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        gradients_NRC = torch.stack([parameter.grad for parameter in parameters if parameter.grad is not None])
        buffers = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffers.append(state["momentum_buffer"])
        before_NRC = torch.stack(buffers)
        after_NRC = before_NRC.lerp(gradients_NRC, 1 - momentum)
        updates_NRC = orthogonalize(gradients_NRC.lerp(after_NRC, momentum)).float()
        kept = 1 - lr * weight_decay
        decay: Tensor | float = kept
        if self.found_inf is not None:  # the value is on the device; the host does not wait for it
            finite = self.found_inf == 0
            after_NRC = torch.where(finite, after_NRC, before_NRC)
            updates_NRC = torch.where(finite, updates_NRC, 0.0)
            decay = torch.where(finite, torch.full_like(self.found_inf, kept), 1.0)
        torch._foreach_copy_(buffers, list(after_NRC.unbind()))
        torch._foreach_mul_(parameters, decay)
        rows, columns = parameters[0].shape
        torch._foreach_add_(parameters, list(updates_NRC.unbind()), alpha=-lr * 0.2 * max(rows, columns) ** 0.5)

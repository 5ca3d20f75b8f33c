"""Muon: momentum, orthogonalised, for the weight matrices inside the blocks.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces a matrix's momentum G = U S Vᵀ by U Vᵀ,
so that every direction moves by the same amount. A Newton–Schulz iteration finds U Vᵀ with matrix products alone.

`torch.optim.Muon` does so matrix by matrix, which on small models costs a third of the step. Here matrices of the same
shape are stacked and go through the iteration together; the updates are the same (a test holds both to that).
Not covered: embeddings, vectors and biases, which belong to AdamW (see `optim`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of x ↦ ax + bx³ + cx⁵, chosen for the steepest slope at zero (Jordan et al. 2024)."""


def orthogonalize(stack_NRC: Tensor, steps: int = 5) -> Tensor:
    """Brings each matrix of a stack close to U Vᵀ of its singular value decomposition.

    Args:
        stack_NRC: (N, rows, columns), any float type; N matrices of one shape.
        steps: Newton–Schulz iterations; 5 bring every singular value into about 0.7 to 1.2.

    Returns:
        (N, rows, columns) in bfloat16, as the iteration tolerates it.
    """
    a, b, c = NEWTON_SCHULZ
    X = stack_NRC.bfloat16()
    tall = X.size(-2) > X.size(-1)
    if tall:  # the Gram matrix is then the smaller one; products of rows that lie apart take twice as long
        X = X.mT.contiguous()
    X = X / X.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        A = X @ X.mT
        B = torch.baddbmm(A, A, A, beta=b, alpha=c)
        X = torch.baddbmm(X, B, X, beta=a)
    return X.mT if tall else X


class Muon(torch.optim.Optimizer):
    """Muon over parameters of two dimensions.

    The update is scaled by 0.2 √max(rows, columns), so that its root mean square is that of AdamW's and the same
    learning rate and weight decay serve both (Liu et al. 2025, arXiv:2502.16982).

    Args:
        params: matrices.
        lr: learning rate.
        momentum: of Nesterov's kind.
        weight_decay: decoupled.

    Raises:
        ValueError: a parameter is not a matrix.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.1
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
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
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        buffers = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffers.append(state["momentum_buffer"])
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        nesterov = torch._foreach_lerp(gradients, buffers, momentum)
        rows, columns = parameters[0].shape
        updates = orthogonalize(torch.stack(nesterov)).float()
        torch._foreach_mul_(parameters, 1 - lr * weight_decay)
        torch._foreach_add_(parameters, list(updates.unbind()), alpha=-lr * 0.2 * max(rows, columns) ** 0.5)

"""The linear layer, with a faster kernel for one token at a time.

Generating a single sequence multiplies every matrix by *one* vector, and reading the weights takes all the time. In
bfloat16 on a CPU, torch's matrix-vector product generates 1.7 times as many tokens per second as its general matrix
product (benchmarks/LOG.md). In float32, on a GPU and for several rows the general product is as fast.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x · weightᵀ + bias, as `torch.nn.functional.linear`.

    Args:
        x: (…, in).
        weight: (out, in).
        bias: (out).

    Returns:
        (…, out).
    """
    one_row = x.numel() == x.shape[-1]
    if one_row and x.dtype == weight.dtype == torch.bfloat16 and x.device.type == "cpu" and not x.requires_grad:
        row = x.reshape(-1)
        out = torch.mv(weight, row) if bias is None else torch.addmv(bias, weight, row)
        return out.view(*x.shape[:-1], -1)
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`torch.nn.Linear` through `linear`; same parameters, same names."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

"""The linear layer, with the kernel that fits one token at a time.

Writing a single sequence multiplies every matrix by *one* vector: all the time goes into reading weights. In
bfloat16 on a CPU torch's general matrix product is poor at that; its matrix-vector product makes 1.7 times as many
tokens a second (benchmarks/LOG.md). In float32, on a GPU and for several rows the general one is as good.
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

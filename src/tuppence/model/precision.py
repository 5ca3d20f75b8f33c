"""The precision of matrix products: dtypes by name, and autocast. `core.environment` chooses it for a device."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

DTYPES: dict[str, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "float32": torch.float32,
}


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """The context in which forward passes compute in `precision` on `device` ("cpu", "cuda", "cuda:1", "mps")."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=DTYPES[precision])

"""Mixed precision: float32 weights, matrix products in bf16 or fp16 where the device gains by it.

bf16 has float32's range and needs nothing else. fp16 does not: small gradients vanish, so the loss is scaled up and the
gradient down again (Micikevicius et al. 2018, arXiv:1710.03740).
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Literal

import torch

PrecisionName = Literal["bf16", "fp16", "float32"]
DTYPES: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16, "float32": torch.float32}


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """The context in which forward passes run at `precision` on `device` ("cpu", "cuda", "cuda:1", "mps")."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=DTYPES[precision])


def gradient_scaler(device: str, precision: str) -> torch.amp.GradScaler:
    """The loss scaler of fp16; at the other precisions one that does nothing."""
    return torch.amp.GradScaler(device.partition(":")[0], enabled=precision == "fp16")

"""Autocast and loss scaling for each precision."""

from __future__ import annotations

import torch

from tuppence.model.precision import autocast
from tuppence.training.precision import gradient_scaler


def test_bf16_multiplies_in_bf16_and_keeps_float32_weights() -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast("cpu", "bf16"):
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    assert layer.weight.dtype == torch.float32


def test_float32_stays_float32() -> None:
    with autocast("cpu", "float32"):
        assert torch.nn.Linear(4, 4)(torch.ones(1, 4)).dtype == torch.float32


def test_only_fp16_scales_its_loss() -> None:
    assert gradient_scaler("cpu", "fp16").is_enabled()
    assert not gradient_scaler("cpu", "bf16").is_enabled()
    assert not gradient_scaler("cpu", "float32").is_enabled()

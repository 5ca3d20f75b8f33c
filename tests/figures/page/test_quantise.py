from __future__ import annotations

import numpy as np
import torch

from tuppence.figures.page.quantise import quantise_rows


def test_rows_are_those_of_torchs_quantisation_for_each_channel() -> None:
    matrix = torch.randn(20, 33, generator=torch.Generator().manual_seed(0))
    scale, zero = matrix.abs().amax(dim=1) / 127, torch.zeros(20, dtype=torch.int32)
    theirs = torch.fake_quantize_per_channel_affine(matrix, scale, zero, 0, -127, 127)
    ours = quantise_rows(matrix.numpy())
    assert np.allclose(ours.dequantised(), theirs.numpy(), rtol=1e-6, atol=0)


def test_an_error_is_at_most_half_a_step_of_its_row() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32) * np.logspace(-30, 30, 50)[:, None]
    matrix = matrix.astype(np.float32)
    rows = quantise_rows(matrix)
    steps = np.abs(matrix).max(axis=1, keepdims=True) / 127
    assert (np.abs(rows.dequantised() - matrix) <= steps * 0.50001).all()


def test_a_row_of_zeros_and_a_row_of_the_smallest_numbers_stay_finite() -> None:
    rows = quantise_rows(np.array([[0.0, -0.0], [1e-45, -1e-45], [3e38, -3e38]], dtype=np.float32))
    assert np.isfinite(rows.dequantised()).all()
    assert rows.weight[0].tolist() == [0, 0]
    assert rows.weight[2].tolist() == [127, -127]

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tuppence.model.linear import Linear, linear


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(24,), (1, 24), (1, 1, 24), (3, 24), (2, 5, 24)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_every_shape_and_precision_gives_torchs_linear(
    dtype: torch.dtype, shape: tuple[int, ...], with_bias: bool
) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(shape, dtype=dtype), torch.randn(7, 24, dtype=dtype)
    bias = torch.randn(7, dtype=dtype) if with_bias else None
    out = linear(x, weight, bias)
    assert out.dtype == dtype
    assert out.shape == (*shape[:-1], 7)
    exact = F.linear(x.double(), weight.double(), None if bias is None else bias.double())
    tolerance = {torch.bfloat16: 0.05, torch.float16: 0.01}.get(dtype, 1e-5)
    torch.testing.assert_close(out.double(), exact, rtol=tolerance, atol=tolerance)


def test_a_single_row_in_bfloat16_is_no_less_exact_than_torchs_linear() -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(500, 3072).bfloat16(), torch.randn(1, 3072).bfloat16()
    exact = F.linear(x.double(), weight.double())
    ours, torchs = ((out.double() - exact).abs().mean().item() for out in (linear(x, weight), F.linear(x, weight)))
    assert ours < 1.5 * torchs + 1e-6


def test_a_single_row_in_bfloat16_goes_through_the_matrix_vector_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    addmv = torch.addmv
    monkeypatch.setattr(torch, "addmv", lambda *arguments: calls.append(1) or addmv(*arguments))
    layer = Linear(8, 4).bfloat16()
    with torch.inference_mode():
        layer(torch.ones(1, 1, 8).bfloat16())
        assert calls == [1]
        layer(torch.ones(1, 2, 8).bfloat16())
        assert calls == [1]


def test_gradients_flow_through_one_row_and_many() -> None:
    layer = Linear(8, 4)
    for rows in (1, 3):
        layer.zero_grad()
        layer(torch.ones(rows, 8)).sum().backward()
        assert layer.weight.grad is not None
        assert torch.equal(layer.weight.grad, torch.full((4, 8), float(rows)))

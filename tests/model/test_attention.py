from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tuppence.model.attention import (
    CausalSelfAttention,
    blockwise_causal_attention,
    causal_mask,
    explicit_attention,
    fused_attention,
)
from tuppence.model.config import ModelConfig


def config(n_heads: int, d_model: int, dropout: float = 0.0) -> ModelConfig:
    return ModelConfig(n_layers=1, n_heads=n_heads, d_model=d_model, context_length=64, vocab_size=5, dropout=dropout)


@pytest.mark.parametrize(("n_heads", "d_model", "length"), [(1, 4, 1), (2, 16, 7), (3, 21, 33), (4, 64, 64)])
def test_explicit_and_fused_attention_agree_forward_and_backward(n_heads: int, d_model: int, length: int) -> None:
    torch.manual_seed(0)
    explicit = CausalSelfAttention(config(n_heads, d_model), "explicit").double()
    fused = CausalSelfAttention(config(n_heads, d_model), "sdpa").double()
    fused.load_state_dict(explicit.state_dict())
    x_BTD = torch.randn(2, length, d_model, dtype=torch.float64)

    outputs, gradients = [], []
    for module in (explicit, fused):
        out_BTD = module(x_BTD)
        out_BTD.square().sum().backward()
        outputs.append(out_BTD)
        gradients.append(module.qkv.weight.grad)

    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("length", "block"), [(1, 4), (4, 4), (11, 4), (12, 4)])
def test_attention_in_blocks_of_queries_equals_torchs_forward_and_backward(length: int, block: int) -> None:
    torch.manual_seed(0)
    in_blocks = [torch.randn(2, 3, length, 8, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    torchs = [tensor.detach().clone().requires_grad_() for tensor in in_blocks]

    out = blockwise_causal_attention(*in_blocks, block=block)  # type: ignore[arg-type]
    expected = F.scaled_dot_product_attention(*torchs, is_causal=True)
    upstream = torch.randn_like(out)
    out.backward(upstream)
    expected.backward(upstream)

    torch.testing.assert_close(out, expected)
    for ours, theirs in zip(in_blocks, torchs, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_explicit_attention_equals_torchs_under_any_mask() -> None:
    torch.manual_seed(0)
    q_BHTK, k_BHSK, v_BHSK = (torch.randn(2, 3, length, 8, dtype=torch.float64) for length in (5, 9, 9))
    mask_B1TS = torch.rand(2, 1, 5, 9) > 0.5
    mask_B1TS[..., 0] = True
    out, weights = explicit_attention(q_BHTK, k_BHSK, v_BHSK, mask_B1TS)
    torch.testing.assert_close(out, F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=mask_B1TS))
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5, dtype=torch.float64))
    assert (weights[(~mask_B1TS).expand_as(weights)] == 0).all()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("length", [1, 7, 64])
def test_gradients_in_bfloat16_are_those_of_the_exact_formula(length: int, masked: bool) -> None:
    torch.manual_seed(0)
    exact = [torch.randn(2, 3, length, 16, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    rounded = [tensor.detach().bfloat16().requires_grad_() for tensor in exact]
    mask = (torch.rand(2, 1, length, length) > 0.5) | torch.eye(length, dtype=torch.bool) if masked else None
    upstream = torch.randn(2, 3, length, 16, dtype=torch.float64)

    explicit_attention(*exact, causal_mask(length, length) if mask is None else mask)[0].backward(upstream)  # type: ignore[arg-type]
    fused_attention(*rounded, mask, is_causal=mask is None).backward(upstream.bfloat16())  # type: ignore[arg-type]

    for ours, right in zip(rounded, exact, strict=True):
        assert ours.grad is not None
        assert right.grad is not None
        error = (ours.grad.double() - right.grad).norm() / right.grad.norm().clamp(min=1e-9)
        assert error < 0.02


def test_what_is_computed_does_not_depend_on_whether_a_gradient_is_wanted() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 33, 16, dtype=torch.bfloat16) for _ in range(3))
    plain = fused_attention(q, k, v, None, is_causal=True)
    trained = fused_attention(q.requires_grad_(), k, v, None, is_causal=True)
    assert trained.grad_fn is not None
    assert torch.equal(plain, trained)


@pytest.mark.parametrize("implementation", ["sdpa", "explicit"])
def test_a_token_does_not_depend_on_later_tokens(implementation: str) -> None:
    torch.manual_seed(0)
    attention = CausalSelfAttention(config(2, 8), implementation)  # type: ignore[arg-type]
    x_BTD = torch.randn(1, 6, 8)
    changed_BTD = x_BTD.clone()
    changed_BTD[:, 4:] = 100.0
    before, after = attention(x_BTD), attention(changed_BTD)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4:], after[:, 4:])


def test_the_last_queries_of_a_longer_source_see_what_came_before() -> None:
    assert torch.equal(causal_mask(2, 5), causal_mask(5, 5)[3:])


@pytest.mark.parametrize("implementation", ["sdpa", "explicit"])
def test_dropout_acts_in_training_and_only_there(implementation: str) -> None:
    torch.manual_seed(0)
    attention = CausalSelfAttention(config(2, 8, dropout=0.5), implementation)  # type: ignore[arg-type]
    x_BTD = torch.randn(1, 6, 8)
    assert not torch.equal(attention(x_BTD), attention(x_BTD))
    attention.eval()
    assert torch.equal(attention(x_BTD), attention(x_BTD))


def test_attention_dropout_keeps_the_expected_sum() -> None:
    torch.manual_seed(0)
    q_BHTK = torch.zeros(1, 1, 1, 4)
    k_BHSK, v_BHSK = torch.zeros(1, 1, 20_000, 4), torch.ones(1, 1, 20_000, 4)
    out, _ = explicit_attention(q_BHTK, k_BHSK, v_BHSK, torch.ones(1, 20_000, dtype=torch.bool), dropout=0.25)
    assert out.mean().item() == pytest.approx(1.0, abs=0.02)

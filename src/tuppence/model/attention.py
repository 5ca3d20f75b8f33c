"""Causal self-attention in two implementations: explicit mathematics as a reference, and torch's fused kernel.

Both compute softmax(q kᵀ / √K) v under the same mask, and a test compares them. Shape suffixes: see
`tuppence.model`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from tuppence.model.cache import Layout
from tuppence.model.config import ModelConfig
from tuppence.model.linear import Linear

Implementation = Literal["sdpa", "explicit"]


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """Mask that is True where a token can attend: itself and the tokens before it. The queries are the *last* tokens.

    Returns:
        (T, S) booleans.

    Example:
        >>> causal_mask(2, 4).int().tolist()
        [[1, 1, 1, 0], [1, 1, 1, 1]]
    """
    query_T1 = torch.arange(queries, dtype=torch.int32, device=device)[:, None] + (keys - queries)
    key_S = torch.arange(keys, dtype=torch.int32, device=device)  # 64 bits make the compiled softmax 1.4 times as slow
    return key_S <= query_T1


def explicit_attention(
    q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Tensor, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, step by step ("Attention Is All You Need", arXiv:1706.03762, equation 1).

    Args:
        mask: booleans that broadcast to (B, H, T, S); False hides a source token from a query.
        dropout: fraction of the attention weights set to zero; the others are scaled up to keep the expected sum.

    Returns:
        The output of the heads (B, H, T, K), and the attention weights (B, H, T, S), where every row sums to one.

    Example:
        A query that matches the second key gathers the second value:

        >>> q, k, v = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0], [9.0, 0.0]]), torch.eye(2)
        >>> out, weights = explicit_attention(q, k, v, mask=torch.ones(1, 2, dtype=torch.bool))
        >>> out.round().tolist(), weights.round().tolist()
        ([[0.0, 1.0]], [[0.0, 1.0]])
    """
    bias = torch.zeros(mask.shape, dtype=q_BHTK.dtype, device=mask.device).masked_fill(~mask, -torch.inf)
    scores_BHTS = (q_BHTK / math.sqrt(q_BHTK.shape[-1])) @ k_BHSK.transpose(-2, -1) + bias
    weights_BHTS = torch.softmax(scores_BHTS, dim=-1)
    return F.dropout(weights_BHTS, dropout) @ v_BHSK, weights_BHTS


def blockwise_causal_attention(
    q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor, dropout: float = 0.0, block: int | None = None
) -> Tensor:
    """The output of the heads, (B, H, T, K), of `explicit_attention` under the causal mask, for blocks of queries.

    A block is compared only with the keys up to its own end. So of the products with keys that the mask hides, most are
    not computed: a quarter of all products at 256 tokens, three eighths from 512 on.

    Args:
        block: number of queries in a block; by default a quarter of them, but at least 128. More and smaller blocks
            were slower (benchmarks/LOG.md).

    Example:
        >>> q, k, v = torch.randn(3, 1, 1, 5, 2)
        >>> whole, _ = explicit_attention(q, k, v, causal_mask(5, 5))
        >>> torch.allclose(blockwise_causal_attention(q, k, v, block=2), whole, atol=1e-6)
        True
    """
    block = max(128, -(-q_BHTK.shape[2] // 4)) if block is None else block
    blocks = []
    for start in range(0, q_BHTK.shape[2], block):
        q_BHtK = q_BHTK[:, :, start : start + block]
        end = start + q_BHtK.shape[2]
        mask = causal_mask(end - start, end, q_BHTK.device)
        blocks.append(explicit_attention(q_BHtK, k_BHTK[:, :, :end], v_BHTK[:, :, :end], mask, dropout)[0])
    return torch.cat(blocks, dim=2)


def fused_attention(
    q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Tensor | None, dropout: float = 0.0, is_causal: bool = False
) -> Tensor:
    """The output of the heads, (B, H, T, K), computed by torch's `scaled_dot_product_attention`.

    Args:
        mask: as in `explicit_attention`; None for causal attention with `is_causal`, or for attention to all tokens.
    """
    trained = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (q_BHTK, k_BHSK, v_BHSK))
    if trained and not dropout and _explicit_gradient_is_faster(q_BHTK, k_BHSK):
        if mask is None:
            lengths = q_BHTK.shape[2], k_BHSK.shape[2]
            mask = causal_mask(*lengths) if is_causal else torch.ones(lengths, dtype=torch.bool)
        out_BHTK: Tensor = _FusedForward.apply(q_BHTK, k_BHSK, v_BHSK, mask, is_causal)  # type: ignore[no-untyped-call]
        return out_BHTK
    return F.scaled_dot_product_attention(
        q_BHTK, k_BHSK, v_BHSK, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
    )


def _explicit_gradient_is_faster(q_BHTK: Tensor, k_BHSK: Tensor) -> bool:
    """Whether the explicit gradient is faster than that of torch's CPU kernel: in bfloat16 it is 4 times as fast at 64
    tokens and 1.4 times at 512 (benchmarks/LOG.md)."""
    longest = max(q_BHTK.shape[2], k_BHSK.shape[2])
    return q_BHTK.device.type == "cpu" and q_BHTK.dtype == torch.bfloat16 and longest <= 512


class _FusedForward(torch.autograd.Function):
    """Forward: the fused kernel. Backward: the explicit formula, recomputed, so that its weights are not stored."""

    @staticmethod
    def forward(ctx: Any, q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Tensor, is_causal: bool) -> Tensor:
        ctx.save_for_backward(q_BHTK, k_BHSK, v_BHSK, mask)
        return F.scaled_dot_product_attention(
            q_BHTK, k_BHSK, v_BHSK, attn_mask=None if is_causal else mask, is_causal=is_causal
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream_BHTK: Tensor) -> tuple[Tensor | None, ...]:
        *saved, mask = ctx.saved_tensors
        q_BHTK, k_BHSK, v_BHSK = (tensor.detach().requires_grad_() for tensor in saved)
        with torch.enable_grad():
            out_BHTK, _ = explicit_attention(q_BHTK, k_BHSK, v_BHSK, mask)
        return *torch.autograd.grad(out_BHTK, (q_BHTK, k_BHSK, v_BHSK), upstream_BHTK), None, None


def compiled_on_cpu(x: Tensor) -> bool:
    """Whether torch.compile compiles for a CPU. There it fuses plain formulas into kernels that are faster than torch's
    own CPU kernels (flash attention's backward pass, GELU): see "Training" in benchmarks/LOG.md."""
    return torch.compiler.is_compiling() and x.device.type == "cpu"


class CausalSelfAttention(nn.Module):
    """Causal self-attention with H heads: a token's query is compared with the keys of all tokens up to itself, and the
    output is the weighted sum of their values.

    Args:
        config: the sizes.
        implementation: "sdpa", torch's fused `scaled_dot_product_attention`, which never stores the (T, S)
            weights; or "explicit", `explicit_attention`.
    """

    def __init__(self, config: ModelConfig, implementation: Implementation = "sdpa") -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.dropout = config.dropout
        self.implementation = implementation
        self.qkv = Linear(config.d_model, 3 * config.d_model)
        self.projection = Linear(config.d_model, config.d_model)

    def heads(self, x_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of every head, each (B, H, T, K)."""
        q_BTD, k_BTD, v_BTD = self.qkv(x_BTD).chunk(3, dim=-1)
        return self._split(q_BTD), self._split(k_BTD), self._split(v_BTD)

    def _split(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.view(*x_BTD.shape[:2], self.n_heads, -1).transpose(1, 2)

    def forward(self, x_BTD: Tensor, cache: Layout | None = None, layer: int = 0) -> Tensor:
        """The output of the heads after the output projection: (B, T, D).

        Args:
            cache: keys and values of the previous tokens; this call adds its own.
            layer: index of this layer in the cache.
        """
        q_BHTK, k_BHSK, v_BHSK = self.heads(x_BTD)
        if cache is None:
            mask, is_causal = None, True
        else:
            k_BHSK, v_BHSK = cache.extend(layer, k_BHSK, v_BHSK)
            mask, is_causal = cache.mask, cache.is_causal

        dropout = self.dropout if self.training else 0.0
        if self.implementation == "sdpa" and cache is None and compiled_on_cpu(x_BTD):
            x_BHTK = blockwise_causal_attention(q_BHTK, k_BHSK, v_BHSK, dropout)
        elif self.implementation == "explicit":
            if mask is None:
                mask = causal_mask(q_BHTK.shape[2], k_BHSK.shape[2], x_BTD.device)
            x_BHTK, _ = explicit_attention(q_BHTK, k_BHSK, v_BHSK, mask, dropout)
        else:
            x_BHTK = fused_attention(q_BHTK, k_BHSK, v_BHSK, mask, dropout, is_causal)
        mixed_BTD: Tensor = self.projection(x_BHTK.transpose(1, 2).flatten(2))
        return mixed_BTD

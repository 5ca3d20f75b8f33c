"""Causal self-attention, twice: as explicit mathematics, to be read; through torch's fused kernel, to be used.

Both compute softmax(q kᵀ / √K) v under the same mask, and a test holds them together. Shape suffixes: see
`tuppence.model`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuppence.model.cache import Layout
from tuppence.model.config import ModelConfig
from tuppence.model.linear import Linear

Implementation = Literal["sdpa", "explicit"]


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """True where a token may look: at itself and at what stands before it. The queries are the *last* positions.

    Returns:
        (T, S) booleans.

    Example:
        >>> causal_mask(2, 4).int().tolist()
        [[1, 1, 1, 0], [1, 1, 1, 1]]
    """
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(diagonal=keys - queries)


def explicit_attention(
    q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Tensor, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, step by step ("Attention Is All You Need", arXiv:1706.03762, equation 1).

    Args:
        mask: booleans that broadcast to (B, H, T, S); False hides a source token from a query.
        dropout: the share of attention weights set to zero; the others grow to keep the expected sum.

    Returns:
        What the heads gathered (B, H, T, K), and the attention weights (B, H, T, S): every row sums to one.

    Example:
        A query that matches the second key gathers the second value:

        >>> q, k, v = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0], [9.0, 0.0]]), torch.eye(2)
        >>> out, weights = explicit_attention(q, k, v, mask=torch.ones(1, 2, dtype=torch.bool))
        >>> out.round().tolist(), weights.round().tolist()
        ([[0.0, 1.0]], [[0.0, 1.0]])
    """
    scores_BHTS = q_BHTK @ k_BHSK.transpose(-2, -1) / math.sqrt(q_BHTK.shape[-1])
    scores_BHTS = scores_BHTS.masked_fill(~mask, -torch.inf)
    weights_BHTS = torch.softmax(scores_BHTS, dim=-1)
    return F.dropout(weights_BHTS, dropout) @ v_BHSK, weights_BHTS


def compiled_on_cpu(x: Tensor) -> bool:
    """Whether torch.compile is at work for a CPU. There it fuses plain formulas into kernels that beat the CPU's
    ready-made ones (flash attention's backward pass, GELU): see "Training" in benchmarks/LOG.md."""
    return torch.compiler.is_compiling() and x.device.type == "cpu"


class CausalSelfAttention(nn.Module):
    """Every token asks (query) all tokens up to itself (keys) and gathers what they hold (values), in H heads.

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
        """What the heads gathered, mixed by one more matrix: (B, T, D).

        Args:
            cache: the keys and values of the tokens before; this call's are added to it.
            layer: which layer of the cache is ours.
        """
        q_BHTK, k_BHSK, v_BHSK = self.heads(x_BTD)
        if cache is None:
            mask, is_causal = None, True
        else:
            k_BHSK, v_BHSK = cache.extend(layer, k_BHSK, v_BHSK)
            mask, is_causal = cache.mask, cache.is_causal

        dropout = self.dropout if self.training else 0.0
        if self.implementation == "explicit" or (cache is None and compiled_on_cpu(x_BTD)):
            if mask is None:
                mask = causal_mask(q_BHTK.shape[2], k_BHSK.shape[2], x_BTD.device)
            x_BHTK, _ = explicit_attention(q_BHTK, k_BHSK, v_BHSK, mask, dropout)
        else:
            x_BHTK = F.scaled_dot_product_attention(
                q_BHTK, k_BHSK, v_BHSK, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
            )
        mixed_BTD: Tensor = self.projection(x_BHTK.transpose(1, 2).flatten(2))
        return mixed_BTD

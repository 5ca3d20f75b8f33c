"""A model with a part left out, and the attention maps of a model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuppence.core.errors import InputError
from tuppence.model.attention import CausalSelfAttention, causal_mask, explicit_attention, fused_attention
from tuppence.model.cache import Layout
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT, Block
from tuppence.model.modes import evaluation_mode

PARTS = ("residual", "positions", "norm", "mlp", "mask")
"""The parts that `ablated` can leave out."""


def ablated(config: ModelConfig, *parts: str) -> GPT:
    """Returns a freshly initialised GPT without some of its parts. It trains and generates like any other.

    Args:
        config: the sizes.
        parts: "residual": a block returns what its branches compute, without adding its input; "positions": no
            position embeddings; "norm": no layer norm; "mlp": no MLP; "mask": a token attends to later tokens too.

    Raises:
        InputError: a part is unknown.

    Example:
        >>> config = ModelConfig(n_layers=1, n_heads=1, d_model=4, context_length=8, vocab_size=11)
        >>> whole, bare = ablated(config), ablated(config, "mlp")
        >>> bare(torch.tensor([[1, 2]])).shape, len(list(whole.parameters())) - len(list(bare.parameters()))
        (torch.Size([1, 2, 11]), 6)
    """
    for part in parts:
        if part not in PARTS:
            raise InputError(f"a GPT has no part {part!r} to leave out", f"use some of: {', '.join(PARTS)}")
    return _AblatedGPT(config, frozenset(parts)) if parts else GPT(config)


class _AblatedGPT(GPT):
    """A GPT whose parts are taken out after the initialisation, so that all others start as in the whole one."""

    def __init__(self, config: ModelConfig, parts: frozenset[str]) -> None:
        super().__init__(config)
        if "positions" in parts:
            self.position_embedding = _NoPositions(config.d_model)  # type: ignore[assignment]
        if "norm" in parts:
            self.final_norm = nn.Identity()  # type: ignore[assignment]
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            if "norm" in parts:
                block.attention_norm = block.mlp_norm = nn.Identity()  # type: ignore[assignment]
            if "mask" in parts:
                block.attention = _Unmasked(config, block.attention)
            if "mlp" in parts:
                block.mlp, block.mlp_norm = _NoMLP(), nn.Identity()  # type: ignore[assignment]
            if "residual" in parts:
                self.blocks[number] = _NoResidual(block)


class _NoPositions(nn.Module):
    """Zeros in the place of position embeddings."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, positions: Tensor) -> Tensor:
        return torch.zeros(*positions.shape, self.width, device=positions.device)


class _NoMLP(nn.Module):
    """Adds nothing to the residual stream."""

    def forward(self, x_BTD: Tensor) -> Tensor:
        return torch.zeros_like(x_BTD)


class _NoResidual(nn.Module):
    """A block whose output is that of its last branch: neither branch adds its input."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.attention_norm, self.attention = block.attention_norm, block.attention
        self.mlp_norm, self.mlp, self.dropout = block.mlp_norm, block.mlp, block.dropout

    def forward(self, x_BTD: Tensor, cache: Layout | None = None, layer: int = 0) -> Tensor:
        x_BTD = self.dropout(self.attention(self.attention_norm(x_BTD), cache, layer))
        if isinstance(self.mlp, _NoMLP):
            return x_BTD
        out_BTD: Tensor = self.dropout(self.mlp(self.mlp_norm(x_BTD)))
        return out_BTD


class _Unmasked(CausalSelfAttention):
    """Attention to all tokens of the call. In generation these are the tokens so far: there are no later ones."""

    def __init__(self, config: ModelConfig, masked: CausalSelfAttention) -> None:
        super().__init__(config)
        self.qkv, self.projection = masked.qkv, masked.projection

    def forward(self, x_BTD: Tensor, cache: Layout | None = None, layer: int = 0) -> Tensor:
        q_BHTK, k_BHSK, v_BHSK = self.heads(x_BTD)
        if cache is not None:
            k_BHSK, v_BHSK = cache.extend(layer, k_BHSK, v_BHSK)
        x_BHTK = fused_attention(q_BHTK, k_BHSK, v_BHSK, None, self.dropout if self.training else 0.0)
        mixed_BTD: Tensor = self.projection(x_BHTK.transpose(1, 2).flatten(2))
        return mixed_BTD


@torch.no_grad()
def attention_maps(model: GPT, tokens_BT: Tensor) -> Tensor:
    """Returns where each token looks: the attention weights of every layer and head, (L, B, H, T, T).

    A row sums to one. The weights are those of `explicit_attention` on the inputs that the layers receive.

    Args:
        tokens_BT: token ids, (B, T) or (T,), at most the context.
    """
    tokens_BT = (tokens_BT if tokens_BT.ndim == 2 else tokens_BT[None]).to(model.token_embedding.weight.device)
    maps: list[Tensor] = []

    def record(attention: CausalSelfAttention, given: tuple[Tensor, ...]) -> None:
        q_BHTK, k_BHTK, v_BHTK = attention.heads(given[0])
        mask = causal_mask(q_BHTK.shape[2], k_BHTK.shape[2], q_BHTK.device)
        if isinstance(attention, _Unmasked):
            mask = torch.ones_like(mask)
        maps.append(explicit_attention(q_BHTK, k_BHTK, v_BHTK, mask)[1])

    layers = [module for module in model.modules() if isinstance(module, CausalSelfAttention)]
    hooks = [layer.register_forward_pre_hook(record) for layer in layers]
    try:
        with evaluation_mode(model):
            model.hidden(tokens_BT)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(maps)

"""The GPT-2 model: embeddings, a stack of blocks, a final layer norm, and the token embedding again as the head.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", as implemented by Hugging Face: the logits
equal those of `GPT2LMHeadModel`. Training, precision and devices are in other modules. Shape suffixes: see
`tuppence.model`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from tuppence.data.buckets import IGNORED_TARGET
from tuppence.model.attention import CausalSelfAttention, Implementation, compiled_on_cpu
from tuppence.model.cache import Layout
from tuppence.model.config import ModelConfig
from tuppence.model.linear import Linear, linear
from tuppence.model.loss import summed_cross_entropy, token_scores


def gelu(x: Tensor) -> Tensor:
    """GELU in GPT-2's approximation: x (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³) (arXiv:1606.08415).

    (1 + tanh u) / 2 is sigmoid(2u), and a compiled exponential takes a third of a compiled tanh's time on a CPU.
    """
    if not compiled_on_cpu(x):
        return F.gelu(x, approximate="tanh")
    wide = x.float()
    return (wide * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))).to(x.dtype)


def _embedding(count: int, width: int) -> nn.Embedding:
    """An embedding. On the meta device it is not initialised, because that would import torch's compiler (2 s)."""
    weight = torch.empty(count, width)
    return nn.Embedding(count, width, _weight=weight if weight.is_meta else None)


class MLP(nn.Module):
    """Two linear layers with a GELU between them, applied to each token separately: D → 4D → D."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.expand = Linear(config.d_model, 4 * config.d_model)
        self.contract = Linear(4 * config.d_model, config.d_model)

    def forward(self, x_BTD: Tensor) -> Tensor:
        out_BTD: Tensor = self.contract(gelu(self.expand(x_BTD)))
        return out_BTD


class Block(nn.Module):
    """A transformer block: attention mixes information between tokens, then the MLP transforms each token."""

    def __init__(self, config: ModelConfig, attention: Implementation) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.attention = CausalSelfAttention(config, attention)
        self.mlp_norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BTD: Tensor, cache: Layout | None = None, layer: int = 0) -> Tensor:
        x_BTD = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), cache, layer))
        out_BTD: Tensor = x_BTD + self.dropout(self.mlp(self.mlp_norm(x_BTD)))
        return out_BTD


class GPT(nn.Module):
    """A GPT-2 language model, freshly initialised from torch's global random state.

    Args:
        config: the sizes.
        attention: how attention is computed; "explicit" is the slow, readable reference.
        activation_checkpointing: store only each block's input for the backward pass and recompute the rest. Needs
            about a third more computation and a fraction of the memory.

    Example:
        >>> from tuppence.model.config import ModelConfig
        >>> config = ModelConfig(n_layers=2, n_heads=2, d_model=8, context_length=16, vocab_size=11)
        >>> model = GPT(config)
        >>> model(torch.tensor([[1, 2, 3]])).shape
        torch.Size([1, 3, 11])
        >>> sum(parameter.numel() for parameter in model.parameters()) == config.parameter_count()
        True
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        attention: Implementation = "sdpa",
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.activation_checkpointing = activation_checkpointing
        self.token_embedding = _embedding(config.vocab_size, config.d_model)
        self.position_embedding = _embedding(config.context_length, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, attention) for _ in range(config.n_layers))
        self.final_norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        if not self.token_embedding.weight.is_meta:
            self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        """Normal(0, 0.02) for matrices, zero for biases. 2 L branches add to the residual stream, which would grow
        with depth. So the matrices that write to it have a standard deviation smaller by √(2 L)."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, Block):  # comes after its children
            std = 0.02 / math.sqrt(2 * self.config.n_layers)
            nn.init.normal_(module.attention.projection.weight, std=std)
            nn.init.normal_(module.mlp.contract.weight, std=std)

    def hidden(self, tokens_BT: Tensor, cache: Layout | None = None) -> Tensor:
        """The residual stream after the final layer norm, (B, T, D).

        Args:
            tokens_BT: token ids, int64. Without a cache, T is at most `config.context_length`.
            cache: keys and values of the previous tokens, extended in place; or the `Branches` of the rows.
        """
        if cache is None:
            positions = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        else:
            cache.advance(tokens_BT.shape[1])
            positions = cache.positions_BT

        x_BTD = self.dropout(self.token_embedding(tokens_BT) + self.position_embedding(positions))
        for layer, block in enumerate(self.blocks):
            if self.activation_checkpointing and self.training:
                x_BTD = checkpoint(block, x_BTD, cache, layer, use_reentrant=False)
            else:
                x_BTD = block(x_BTD, cache, layer)
        hidden_BTD: Tensor = self.final_norm(x_BTD)
        return hidden_BTD

    def head(self, x_BTD: Tensor) -> Tensor:
        """Logits of the next token, (…, V): dot products of the hidden state with each token's embedding."""
        return linear(x_BTD, self.token_embedding.weight)

    def forward(self, tokens_BT: Tensor, cache: Layout | None = None) -> Tensor:
        """Logits of the token after each of `tokens_BT`, (B, T, V)."""
        return self.head(self.hidden(tokens_BT, cache))

    def loss(self, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """The *sum* of the cross-entropies of all targets, in nats: a float32 scalar.

        It is a sum, because only the caller knows the number of targets in the step, over micro-batches and ranks.

        Args:
            targets_BT: the tokens to predict, int64; -100 is not a target.
        """
        return summed_cross_entropy(
            self.hidden(tokens_BT).flatten(0, 1), self.token_embedding.weight, targets_BT.flatten()
        )

    @torch.no_grad()
    def row_losses(self, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """As `loss`, for each row separately and without a gradient: (B,) in float64."""
        rows_N, places_N = torch.nonzero(targets_BT != IGNORED_TARGET, as_tuple=True)
        hidden_ND = self.hidden(tokens_BT)[rows_N, places_N]
        logps_N, _ = token_scores(hidden_ND, self.token_embedding.weight, targets_BT[rows_N, places_N])
        sums_B = torch.zeros(len(tokens_BT), dtype=torch.float64)  # on the CPU: added up in one order, in any precision
        return sums_B.index_add_(0, rows_N.cpu(), -logps_N.cpu().double())

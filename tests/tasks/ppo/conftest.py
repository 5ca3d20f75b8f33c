"""A small policy, a reward that is a simple count, and a tokenizer, for the tests of this package."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.lora import LoRA, add_lora
from tuppence.tasks.ppo.policy import PolicyWithValue
from tuppence.tokenizer import Tokenizer, train_tokenizer

SIZES = ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=270)
LIKED = frozenset(range(97, 110))
"""Ids that the counting reward likes: letters of the byte alphabet."""


class CountingReward(SequenceScorer):
    """Scores the share of liked tokens in the last six of a text: a reward whose optimum is known."""

    def __init__(self) -> None:
        super().__init__(GPT(SIZES), 1)

    def forward(self, tokens_BT: Tensor, lengths_B: Tensor) -> Tensor:
        columns_T = torch.arange(tokens_BT.shape[1])
        near_BT = (columns_T < lengths_B[:, None]) & (columns_T >= lengths_B[:, None] - 6)
        liked_BT = torch.isin(tokens_BT, torch.tensor(sorted(LIKED)))
        return ((liked_BT & near_BT).sum(dim=1) / 6.0)[:, None]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["some words to learn a few merges from, some words"], vocab_size=265)


def base(seed: int = 0) -> GPT:
    """A random model that is clearly not uniform."""
    torch.manual_seed(seed)
    gpt = GPT(SIZES)
    with torch.no_grad():
        for parameter in gpt.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.15)
        # an adapter cannot move embeddings: what is liked must have something in common for it to find
        gpt.token_embedding.weight[sorted(LIKED)] += torch.randn(SIZES.d_model) * 0.3
    return gpt


@pytest.fixture
def policy() -> Callable[..., PolicyWithValue]:
    """A policy that starts as `base` does, with a LoRA adapter (at zero) unless it is `full`."""

    def make(*, full: bool = False, seed: int = 0) -> PolicyWithValue:
        gpt = base(seed)
        if not full:
            add_lora(gpt, LoRA(rank=4, alpha=8.0))
        return PolicyWithValue(gpt)

    return make


def stir(model: nn.Module, std: float = 0.1) -> None:
    """Moves every trained weight, so that a policy differs from its reference."""
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=random), alpha=std)

"""A model of transformers: our copy of it, and what it generates."""

from __future__ import annotations

from typing import Any

import torch

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import from_hugging_face


def copy_of(theirs: Any, config: ModelConfig) -> GPT:
    """Our model with the weights of a GPT2LMHeadModel."""
    model = GPT(config).eval()
    model.load_state_dict(
        from_hugging_face({name: tensor for name, tensor in theirs.state_dict().items() if name != "lm_head.weight"})
    )
    return model


def greedy_ids(theirs: Any, prompt: list[int], count: int) -> list[int]:
    """The next `count` ids by transformers' greedy generation."""
    tokens_1T = torch.tensor([prompt])
    ids = theirs.generate(
        tokens_1T, attention_mask=torch.ones_like(tokens_1T), do_sample=False, max_new_tokens=count, pad_token_id=0
    )
    return ids[0, len(prompt) :].tolist()

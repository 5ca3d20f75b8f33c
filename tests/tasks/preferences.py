"""Random pairs, in our form and in that of trl's trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.weights import load_model
from tuppence.tasks.pairs import EncodedPair, Pairs

SIZES = ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=61)
END = 60
"""An id that no text has: the end of text and the padding of their tokenizers."""

Ids = tuple[list[int], list[int], list[int]]


def random_ids(count: int = 6, seed: int = 0) -> list[Ids]:
    """Prompts, chosen and rejected answers of different lengths."""
    random = np.random.default_rng(seed)
    return [
        tuple(random.integers(0, END, random.integers(1, 9)).tolist() for _ in range(3))  # type: ignore[misc]
        for _ in range(count)
    ]


def pairs_of(ids: list[Ids], held_out: int = 1) -> Pairs:
    encoded = []
    for number, parts in enumerate(ids):
        branches = [np.full(len(part), branch) for branch, part in enumerate(parts)]
        encoded.append(EncodedPair(number, np.concatenate(parts), np.concatenate(branches)))
    return Pairs(encoded[:-held_out], encoded[-held_out:], [], [])


def their_model(kind: str, folder: Path, seed: int) -> Any:
    """A random model of transformers, saved to `folder` for ours to load."""
    import transformers

    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        n_layer=SIZES.n_layers,
        n_head=SIZES.n_heads,
        n_embd=SIZES.d_model,
        n_positions=SIZES.context_length,
        vocab_size=SIZES.vocab_size,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
        num_labels=1,
    )
    model = getattr(transformers, kind)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    model.save_pretrained(folder)
    return model


def their_tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"t{number}": number for number in range(END)} | {"<|endoftext|>": END}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="t0")), eos_token="<|endoftext|>"
    )


def load(folder: Path) -> GPT:
    return load_model(folder, dropout=0.0)

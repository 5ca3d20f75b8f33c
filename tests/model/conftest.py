"""Small random models, ours and transformers', for the tests of this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT


@pytest.fixture
def small_config() -> ModelConfig:
    return ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=61)


@pytest.fixture
def lively() -> Callable[..., GPT]:
    """A random model whose logits differ clearly between tokens (fresh GPT-2 weights are nearly uniform)."""

    def make(config: ModelConfig, seed: int = 0, std: float = 0.3, **options: Any) -> GPT:
        torch.manual_seed(seed)
        model = GPT(config, **options)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=std)
            model.position_embedding.weight.normal_(std=10 * std)  # else a tied head repeats its input
        return model.eval()

    return make


@pytest.fixture
def transformers_gpt2() -> Callable[..., Any]:
    """A random GPT2LMHeadModel of transformers, with biases and norms that are not zeros and ones."""
    transformers = pytest.importorskip("transformers")

    def make(config: ModelConfig, seed: int = 0, **options: Any) -> Any:
        torch.manual_seed(seed)
        theirs = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                n_layer=config.n_layers,
                n_head=config.n_heads,
                n_embd=config.d_model,
                n_positions=config.context_length,
                vocab_size=config.vocab_size,
                layer_norm_epsilon=config.layer_norm_epsilon,
                bos_token_id=None,
                eos_token_id=None,
                **options,
            )
        )
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.normal_(std=0.3)
            theirs.transformer.wpe.weight.normal_(std=3.0)  # else a tied head repeats its input
        return theirs.eval()

    return make


@pytest.fixture
def saved(transformers_gpt2: Callable[..., Any], tmp_path: Path) -> Callable[..., tuple[Any, Path]]:
    """A random model of transformers and the folder it was saved to, by transformers."""

    def make(config: ModelConfig, **options: Any) -> tuple[Any, Path]:
        theirs = transformers_gpt2(config)
        folder = tmp_path / "theirs"
        theirs.save_pretrained(folder, **options)
        return theirs, folder

    return make

"""A tokenizer and a small model that the tests of the course share."""

from __future__ import annotations

import pytest
import torch

import tuppence as tp
from tuppence.core import console
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return tp.stories(40)


@pytest.fixture(scope="session")
def tokenizer(texts: list[str]) -> Tokenizer:
    return tp.train_tokenizer(texts, 320)


@pytest.fixture
def config(tokenizer: Tokenizer) -> ModelConfig:
    return tp.ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=tokenizer.vocab_size)


@pytest.fixture
def model(config: ModelConfig) -> GPT:
    torch.manual_seed(0)
    return GPT(config).eval()


@pytest.fixture(autouse=True)
def messages_go_to_stderr_again() -> object:
    yield
    console.tell(None)

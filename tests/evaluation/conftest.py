"""A tokenizer, a small model and a text that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from tuppence.data.prepare import prepare
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.weights import save_model
from tuppence.tokenizer import Tokenizer, train_tokenizer

DOCUMENTS = [
    "The lamp was lit, and the café — naïve as ever — stayed open. " * 6,
    "It rained.\nIt rained again; nobody minded the rain, 雨が降る。",
    "A third, short one.",
]


@dataclass(frozen=True)
class World:
    """What an evaluation needs, on the disk."""

    tokenizer: Tokenizer
    text: Path
    documents: list[str]
    data: Path
    model: Path
    run: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    tokenizer = train_tokenizer(DOCUMENTS, 300)
    text = folder / "val.txt"
    text.write_text("\n<|endoftext|>\n".join(DOCUMENTS), encoding="utf-8")
    tokenizer.save(folder / "tok")
    prepare([str(text)], tokenizer, folder / "data", val_inputs=[str(text)], workers=1)
    torch.manual_seed(3)
    model = GPT(ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=tokenizer.vocab_size))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    save_model(model, folder / "hf", tokenizer=tokenizer)
    save_model(model, folder / "run" / "model", tokenizer=tokenizer)
    record = {"status": "done", "data": {"path": str(folder / "data")}}
    (folder / "run" / "run.yaml").write_text(yaml.safe_dump(record))
    return World(tokenizer, text, DOCUMENTS, folder / "data", folder / "hf", folder / "run")

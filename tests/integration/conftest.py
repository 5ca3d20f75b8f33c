"""A small corpus, made once through the command line, for all tests of this room."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = [
    *("model.preset=nano", "model.n_layers=2", "model.n_heads=2", "model.d_model=32", "model.context_length=32"),
    *("train.batch_size=8", "train.learning_rate=0.01", "train.warmup_steps=2", "train.log_every=1"),
    *("train.sample_tokens=5", "train.eval_tokens=1024"),
]


def settings(*more: str) -> list[str]:
    """The `--set` flags of a model that trains in seconds; later ones win."""
    return [word for pair in (*SMALL, *more) for word in ("--set", pair)]


@pytest.fixture(scope="session")
def corpus(tuppence: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stories.txt, tok/ and data/."""
    place = tmp_path_factory.mktemp("corpus")
    stories = place / "stories.txt"
    for line in (
        ["data", "synth", "stories", "--out", stories, "--count", 200, "--seed", 7],
        ["tokenizer", "train", stories, "--vocab-size", 512, "--out", place / "tok"],
        ["data", "prepare", stories, "--tokenizer", place / "tok", "--val-fraction", 0.1, "--out", place / "data"],
    ):
        done = tuppence(*line)
        assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="session")
def base(corpus: Path, tuppence: Run) -> Path:
    """A small model pretrained on the corpus: what finetuning starts from. Context 64, float32."""
    out = corpus / "base"
    more = ("model.context_length=64", "train.precision=float32")
    done = tuppence("pretrain", "--data", corpus / "data", "--out", out, "--max-steps", 30, *settings(*more))
    assert done.returncode == 0, done.stderr
    return out


def finetune_settings(*more: str) -> list[str]:
    """The `--set` flags of a finetune that takes seconds and computes exactly; later ones win."""
    pairs = ("train.batch_size=8", "train.log_every=1", "train.precision=float32", "train.sample_tokens=4", *more)
    return [word for pair in pairs for word in ("--set", pair)]

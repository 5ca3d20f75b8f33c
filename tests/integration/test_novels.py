"""On real books, where they are there: tokenizer, shards, a short pretraining and its score."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from tests.integration.command_lines import settings
from tests.integration.conftest import Run


@pytest.mark.slow
@pytest.mark.shared_data
def test_tokenizer_training_and_evaluation_on_seven_novels(tuppence: Run, shared_data: Path, tmp_path: Path) -> None:
    novels = shared_data / "text" / "english-novels" / "val.txt"
    run = tmp_path / "run"
    for words in (
        ("tokenizer", "train", novels, "--vocab-size", 2048, "--out", tmp_path / "tok"),
        ("data", "prepare", novels, "--tokenizer", tmp_path / "tok", "--val-fraction", 0.2, "--out", tmp_path / "data"),
        ("pretrain", "--data", tmp_path / "data", "--out", run, "--max-steps", 150, *settings("train.eval_every=50")),
        ("report", run),
    ):
        done = tuppence(*words)
        assert done.returncode == 0, done.stderr
    index = json.loads((tmp_path / "data" / "index.json").read_text())
    separators = novels.read_text(encoding="utf-8").count("<|endoftext|>")
    assert sum(split["documents"] for split in index["splits"].values()) == separators + 1
    done = tuppence("evaluate", run, "--json", "--max-tokens", 20_000)
    numbers = json.loads(done.stdout)["perplexity"]
    assert numbers["loss"] < math.log(2048) - 1.0  # far better than guessing, after 38,000 tokens
    assert 1.0 < numbers["bits_per_byte"] < 4.0
    assert numbers["perplexity"] == pytest.approx(math.exp(numbers["loss"]))

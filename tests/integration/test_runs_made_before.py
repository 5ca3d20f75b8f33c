"""Runs, a tokenizer and token shards made by an earlier version open, and training continues to the same bits.

`tests/fixtures/before` was made by its `make.sh` at commit 8180895, each run trained to its first limit; `after/` holds
the weights that version ended with when it trained to the second limit. The paths in the runs are
relative to that folder.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from tests.integration.conftest import Run

from tuppence.core.environment import cpu_name

BEFORE = Path(__file__).parent.parent / "fixtures" / "before"
STEPS = {"pretrain": 12, "classify": 12, "instruct": 12, "reward": 12, "dpo": 12, "ppo": 4}
LINES = {
    "pretrain": ("pretrain", "--data", "data"),
    "classify": ("finetune", "classify", "--base", "base", "--data", "sms.jsonl"),
    "instruct": ("finetune", "instruct", "--base", "base", "--data", "instructions.jsonl"),
    "reward": ("align", "reward", "--base", "base", "--data", "preferences.jsonl"),
    "dpo": ("align", "dpo", "--base", "base", "--data", "preferences.jsonl"),
    "ppo": ("align", "ppo", "--base", "base", "--reward", "reward-6", "--data", "instructions.jsonl"),
}
COMMON = (
    *("train.schedule=constant", "train.checkpoint_every=4", "train.log_every=1", "train.precision=float32"),
    *("train.compile=false", "train.final_learning_rate=0.1"),
)
PRETRAIN = (
    *("model.n_layers=2", "model.n_heads=2", "model.d_model=16", "model.context_length=256", "model.dropout=0.1"),
    *("train.batch_size=2", "train.eval_every=4", "train.optimizer=muon"),
)
SETTINGS = {
    "pretrain": PRETRAIN,
    "classify": ("train.batch_size=4",),
    "instruct": ("train.batch_size=4", "lora.rank=2"),
    "reward": ("train.batch_size=2",),
    "dpo": ("train.batch_size=2",),
    "ppo": ("align.clip=0.2",),
}
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(BEFORE, tmp_path_factory.mktemp("old") / "before"))


def run_of(before: Path, verb: str) -> Path:
    return next(path for path in before.glob(f"{verb}-*") if path.is_dir())


@pytest.mark.parametrize("verb", LINES)
def test_an_old_run_continues_to_the_same_weights(tuppence: Run, before: Path, tmp_path: Path, verb: str) -> None:
    work = Path(shutil.copytree(before, tmp_path / "work"))
    old = run_of(work, verb)
    attempt = yaml.safe_load((old / "run.yaml").read_text())["attempts"][0]
    given = [word for pair in (*COMMON, *SETTINGS[verb]) for word in ("--set", pair)]
    done = tuppence(*LINES[verb], "--out", old, "--max-steps", STEPS[verb], *given, cwd=work, env=ONE_THREAD)
    assert done.returncode == 0, done.stderr
    weights = load_file(old / "model" / "model.safetensors")
    expected = load_file(before / "after" / f"{verb}-{STEPS[verb]}.safetensors")
    assert weights.keys() == expected.keys()
    same_machine = attempt["cpu"] == cpu_name() and attempt["torch"] == torch.__version__
    for name, tensor in expected.items():
        if same_machine:
            assert numpy.array_equal(weights[name], tensor), name
        else:
            numpy.testing.assert_allclose(weights[name], tensor, atol=1e-5, err_msg=name)


def test_every_verb_that_reads_opens_the_old_folders(tuppence: Run, before: Path) -> None:
    lines: list[tuple[object, ...]] = [
        ("tokenizer", "show", "tokenizer", "a text"),
        ("evaluate", "pretrain-6", "--data", "data"),
        ("classify", "classify-6", "You have won"),
        ("evaluate", "classify-6"),
        ("evaluate", "reward-6"),
    ]
    lines += [("report", run_of(before, verb).name) for verb in LINES]
    lines += [
        ("generate", f"{verb}-{number}", "--prompt", "Once", "--max-tokens", 3)
        for verb, number in (("pretrain", 6), ("instruct", 6), ("dpo", 6), ("ppo", 2))
    ]
    for line in lines:
        done = tuppence(*line, cwd=before)
        assert done.returncode == 0, (line, done.stderr)


def test_the_old_metrics_and_ledger_are_still_read(tuppence: Run, before: Path) -> None:
    done = tuppence("report", "pretrain-6", "--json", cwd=before)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(row) for row in (before / "pretrain-6" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]

"""Each training verb reads the weights of its base once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.model import weights
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.model.tensor_files import StoredTensor, read_tensors
from tuppence.tasks.answers import BaseAnswers
from tuppence.tasks.dpo import DPOConfig, DPORecipe, run_dpo
from tuppence.tasks.instruct import InstructConfig, InstructRecipe, run_instruct
from tuppence.tasks.ppo import PPORecipe, run_ppo
from tuppence.tasks.ppo.config import PPOConfig
from tuppence.tasks.reward import RewardRecipe, run_reward
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import train_tokenizer
from tuppence.training.config import TrainConfig

SIZES = ModelConfig(n_layers=1, n_heads=2, d_model=8, context_length=96, vocab_size=280)
TRAIN = TrainConfig(batch_size=4, max_steps=1, precision="float32", warmup_steps=0, sample_tokens=3)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    tokenizer = train_tokenizer(["### Instruction: Response: Name fruits. plum No."], 280)
    torch.manual_seed(0)
    save_model(GPT(SIZES), tmp_path / "base", tokenizer=tokenizer)
    rows = [{"instruction": f"Name {n} fruits.", "output": "plum " * n} for n in range(1, 13)]
    (tmp_path / "tasks.json").write_text(json.dumps(rows))
    pairs = [{"prompt": f"Name {n} fruits.", "chosen": "plum " * n, "rejected": "No."} for n in range(1, 13)]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    return tmp_path / "base"


@pytest.fixture
def reads(base: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """How often the weights of each folder were read."""
    found: Counter[Path] = Counter()

    def counted(stored: dict[str, StoredTensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
        found[next(iter(stored.values())).path.parent] += 1
        return read_tensors(stored, dtype)

    monkeypatch.setattr(weights, "read_tensors", counted)
    return found


@pytest.mark.parametrize("full", [False, True])
def test_finetune_instruct_reads_its_base_once(full: bool, base: Path, reads: Counter[Path]) -> None:
    recipe = InstructRecipe(finetune=InstructConfig(full=full, val_fraction=0.25), train=TRAIN)
    run_instruct(base, base.parent / "tasks.json", base.parent / "run", recipe, RunOptions())
    assert reads[base] == 1


@pytest.mark.parametrize("reference", ["precomputed", "along"])
@pytest.mark.parametrize("full", [False, True])
def test_align_dpo_reads_its_base_once(full: bool, reference: str, base: Path, reads: Counter[Path]) -> None:
    choice = DPOConfig(full=full, val_fraction=0.25, reference=reference)  # type: ignore[arg-type]
    run_dpo(base, base.parent / "pairs.json", base.parent / "run", DPORecipe(align=choice, train=TRAIN), RunOptions())
    assert reads[base] == 1
    held_out = [json.loads(line) for line in (base.parent / "run" / "held-out.jsonl").read_text().splitlines()]
    assert any("before" in row for row in held_out)


@pytest.mark.parametrize("is_new", [True, False], ids=["new checkpoint", "checkpoint without answers"])
def test_a_continued_dpo_run_has_the_same_answers_of_its_base(
    is_new: bool, base: Path, reads: Counter[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(steps: int) -> list[Any]:
        train = TRAIN.model_copy(update={"max_steps": steps, "learning_rate": 0.1})
        recipe = DPORecipe(align=DPOConfig(full=True, val_fraction=0.25, reference="precomputed"), train=train)
        run_dpo(base, base.parent / "pairs.json", base.parent / "run", recipe, RunOptions())
        held_out = (base.parent / "run" / "held-out.jsonl").read_text().splitlines()
        return [json.loads(line).get("before") for line in held_out]

    if not is_new:
        monkeypatch.setattr(BaseAnswers, "state", lambda self: {})
    first = run(1)
    assert any(first)
    assert run(3) == first
    assert reads[base] == (2 if is_new else 3)


def test_align_reward_reads_its_base_once(base: Path, reads: Counter[Path]) -> None:
    run_reward(base, base.parent / "pairs.json", base.parent / "run", RewardRecipe(train=TRAIN), RunOptions())
    assert reads[base] == 1


@pytest.mark.parametrize("full", [False, True])
def test_align_ppo_reads_base_reward_model_and_result_once(full: bool, base: Path, reads: Counter[Path]) -> None:
    run_reward(base, base.parent / "pairs.json", base.parent / "reward", RewardRecipe(train=TRAIN), RunOptions())
    reads.clear()
    align = PPOConfig(full=full, val_fraction=0.25, rollout_prompts=4, max_new_tokens=3)
    recipe, out = PPORecipe(align=align, train=TRAIN), base.parent / "run"
    summary = run_ppo(base, base.parent / "reward", base.parent / "pairs.json", out, recipe, RunOptions())
    assert "held_out" in summary
    assert reads == {base: 1, base.parent / "reward" / "model": 1, out / "model": 1}
    again = run_ppo(base, base.parent / "reward", base.parent / "pairs.json", out, recipe, RunOptions())
    assert again["held_out"] == summary["held_out"]  # of a run that is done, and whose base is not in memory

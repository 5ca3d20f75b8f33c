"""The rewards of a reward model against transformers' own, and its measures by their definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.data.records.preferences import read_preferences
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.tasks.reward import LABEL, encode_pairs, pair_rewards
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import load
from tuppence.model.saving import save_scorer
from tuppence.tokenizer import train_tokenizer


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A random reward model beside ten pairs."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(["### Instruction: Response: Name fruits. plum No."], 280).with_chat_template()
    scorer = SequenceScorer(GPT(ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=64, vocab_size=280)), 1)
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter.normal_(std=0.3)
    save_scorer(scorer, tmp_path / "model", labels=[LABEL], tokenizer=tokenizer)
    rows = [{"prompt": f"Name {n} fruits.", "chosen": "plum " * n, "rejected": "No."} for n in range(1, 11)]
    (tmp_path / "pairs.json").write_text(json.dumps(rows))
    return tmp_path / "model"


def theirs(model: Path) -> np.ndarray[Any, Any]:
    """One answer at a time, through transformers and its chat template; the end of text counts as padding there."""
    transformers = pytest.importorskip("transformers")
    scorer = transformers.AutoModelForSequenceClassification.from_pretrained(model).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    rewards = []
    for row in json.loads((model.parent / "pairs.json").read_text()):
        for answer in (row["chosen"], row["rejected"]):
            turns = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": answer}]
            ids = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), return_tensors="pt")["input_ids"]
            with torch.no_grad():
                rewards.append(scorer(ids).logits.item())
    return np.array(rewards).reshape(-1, 2)


def test_rewards_are_those_of_transformers(model: Path) -> None:
    loaded, rows = load(model, head="scores"), read_preferences(str(model.parent / "pairs.json")).rows
    np.testing.assert_allclose(pair_rewards(loaded, encode_pairs(loaded, rows)), theirs(model), atol=1e-5)


def test_accuracy_and_margin_are_the_means_with_an_interval_around_them(model: Path) -> None:
    found = evaluate(model, config=EvalConfig(data=str(model.parent / "pairs.json")))
    margins = theirs(model) @ [1, -1]
    numbers = found["reward"]
    assert numbers["accuracy"] == pytest.approx((margins > 0).mean())
    assert numbers["margin"] == pytest.approx(margins.mean(), abs=1e-5)
    low, high = numbers["margin_interval"]
    spread = 1.96 * margins.std() / np.sqrt(10)
    assert (low, high) == pytest.approx((margins.mean() - spread, margins.mean() + spread), abs=0.4 * spread)


def test_without_held_out_pairs_a_file_must_be_named(model: Path) -> None:
    with pytest.raises(InputError, match="no held-out pairs"):
        evaluate(model)


def test_a_reward_that_is_not_finite_is_refused(model: Path) -> None:
    loaded = load(model, head="scores")
    encoded = encode_pairs(loaded, read_preferences(str(model.parent / "pairs.json")).rows)
    with torch.no_grad():
        loaded.model.score.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        pair_rewards(loaded, encoded)


def test_pairs_that_are_equal_within_the_context_are_left_out_as_in_training(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model.parent / "pairs.json"
    alike = {"prompt": "Name fruits.", "chosen": "plum " * 99 + "a", "rejected": "plum " * 99 + "b"}
    path.write_text(json.dumps([*json.loads(path.read_text()), alike]))
    numbers = evaluate(model, config=EvalConfig(data=str(path)))["reward"]
    assert numbers["pairs"] == 10
    assert "left out 1 pair whose answers are equal" in capsys.readouterr().err
    path.write_text(json.dumps([alike]))
    with pytest.raises(InputError, match="no pair differs within the context"):
        evaluate(model, config=EvalConfig(data=str(path)))

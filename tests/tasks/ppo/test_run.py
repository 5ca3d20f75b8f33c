"""What `run_ppo` refuses before training, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.core.errors import InputError, NonFiniteError
from tuppence.core.run import Run
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.saving import save_model, save_scorer
from tuppence.model.weights import load_model
from tuppence.tasks.ppo import PPORecipe, run_ppo
from tuppence.tasks.ppo.config import PPOConfig
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.training.config import TrainConfig

SIZES = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=48, vocab_size=265)


@dataclass(frozen=True)
class Places:
    base: Path
    reward: Path
    data: Path
    out: Path


@pytest.fixture
def places(tmp_path: Path, tokenizer: Tokenizer) -> Places:
    torch.manual_seed(0)
    save_model(GPT(SIZES), tmp_path / "base", tokenizer=tokenizer)
    save_scorer(SequenceScorer(GPT(SIZES), 1), tmp_path / "reward", labels=["reward"], tokenizer=tokenizer)
    rows = [{"prompt": f"Say {number}.", "chosen": "yes", "rejected": "no"} for number in range(20)]
    (tmp_path / "pairs.json").write_text(json.dumps(rows))
    return Places(tmp_path / "base", tmp_path / "reward", tmp_path / "pairs.json", tmp_path / "run")


def run(places: Places, steps: int = 4, **config: Any) -> dict[str, Any]:
    choice = PPOConfig(rollout_prompts=8, max_new_tokens=6, **config.pop("align", {}))
    train = TrainConfig(batch_size=4, max_steps=steps, precision="float32", eval_every=2, learning_rate=0.1)
    recipe = PPORecipe(align=choice, train=train, **config)
    return run_ppo(places.base, places.reward, places.data, places.out, recipe, RunOptions())


def test_the_numbers_before_and_after_are_those_of_base_and_result(places: Places) -> None:
    summary = run(places)
    before, after = summary["held_out"]["before"], summary["held_out"]["after"]
    assert before["kl"] == 0
    assert after["scores"] == pytest.approx(summary["result"]["best_val_metrics"]["scores"], abs=1e-3)
    assert after["kl"] == pytest.approx(summary["result"]["best_val_metrics"]["kl"], abs=1e-3)
    assert after["base_perplexity"] > 1
    assert Run(places.out).read()["held_out"] == summary["held_out"]
    rows = [json.loads(line) for line in (places.out / "held-out.jsonl").read_text().splitlines()]
    scores = [row["after"]["scores"] for row in rows]
    assert sum(scores) / len(scores) == pytest.approx(after["scores"], abs=1e-3)
    gain = summary["held_out"]["gain"]
    assert gain["scores"] == pytest.approx(after["scores"] - before["scores"], abs=1e-3)
    assert gain["standard_error"] > 0
    assert load_model(places.out).config == SIZES


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"align": {"max_new_tokens": 48}}, "context 48"),
        ({"lora": {"dropout": 0.1}}, "lora.dropout is above 0"),
    ],
)
def test_an_impossible_recipe_is_refused(places: Places, config: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        run_ppo(
            places.base,
            places.reward,
            places.data,
            places.out,
            PPORecipe.model_validate(config),
            RunOptions(),
        )
    assert not places.out.exists()


def _other_tokenizer(places: Places) -> None:
    other = train_tokenizer(["another text altogether"], vocab_size=265)
    save_scorer(SequenceScorer(GPT(SIZES), 1), places.reward, labels=["reward"], tokenizer=other)


def _three_scores(places: Places) -> None:
    tokenizer = Tokenizer.load(places.base)
    save_scorer(SequenceScorer(GPT(SIZES), 3), places.reward, labels=["a", "b", "c"], tokenizer=tokenizer)


def _language_model(places: Places) -> None:
    save_model(GPT(SIZES), places.reward, tokenizer=Tokenizer.load(places.base))


def _no_prompts(places: Places) -> None:
    places.data.write_text('[{"text": "no prompt here"}]')


def _one_prompt(places: Places) -> None:
    places.data.write_text('[{"prompt": "Say 1.", "chosen": "yes", "rejected": "no"}]')


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_other_tokenizer, "has another tokenizer than the base"),
        (_three_scores, "gives 3 scores"),
        (_language_model, "a language model: it has no scores"),
        (_no_prompts, "no instructions in a known format"),
        (_one_prompt, "cannot be split in two"),
    ],
)
def test_inputs_that_do_not_fit_together_are_refused(
    places: Places, spoil: Callable[[Places], None], said: str
) -> None:
    spoil(places)
    with pytest.raises(InputError, match=said):
        run(places)
    assert not places.out.exists()


def test_a_reward_of_nan_stops_the_run(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        SequenceScorer, "forward", lambda self, tokens, lengths: torch.full((len(tokens), 1), torch.nan)
    )
    with pytest.raises(NonFiniteError, match="the reward model gives nan"):
        run(places)
    assert Run(places.out).read()["status"] == "failed"

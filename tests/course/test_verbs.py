"""The verbs of the command line on data in memory, and the view of their runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuppence as tp
from tuppence.core.errors import InputError
from tuppence.course.runs import Run
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.tokenizer import Tokenizer

SIZES = {"n_layers": 1, "n_heads": 2, "d_model": 16, "context_length": 64}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, texts: list[str], tokenizer: Tokenizer) -> Run:
    out = tmp_path_factory.mktemp("runs") / "base"
    return tp.pretrain(texts, out, tokenizer=tokenizer, steps=3, batch_size=2, **SIZES)


def test_a_pretrained_run_shows_itself(base: Run) -> None:
    assert isinstance(base.model, GPT)
    assert base.model.config.d_model == 16
    assert base.config["train"]["max_steps"] == 3
    assert base.receipt.tokens == 3 * 2 * 64
    assert "validation loss" in repr(base)
    assert "<table>" in base._repr_html_()
    assert base.write("One morning", max_tokens=4).startswith("One morning")
    assert base.samples.columns == ["step", "text"]
    assert base.last("val_loss") > 0
    with pytest.raises(InputError, match="no metric 'accuracy'"):
        base.last("accuracy")


def test_the_same_call_finds_the_finished_run(base: Run, texts: list[str], tokenizer: Tokenizer) -> None:
    again = tp.pretrain(texts, base.path, tokenizer=tokenizer, steps=3, batch_size=2, **SIZES)
    assert again.receipt.attempts == base.receipt.attempts


def test_a_run_is_evaluated_and_reported(base: Run) -> None:
    assert base.evaluate()["perplexity"]["loss"] > 0
    assert base.report() == base.path / "report.html"
    assert base.report().stat().st_size > 1000


def test_a_classifier_learns_from_rows_in_memory(base: Run) -> None:
    run = tp.classify(base, tp.sms(120), steps=2, batch_size=4)
    assert isinstance(run.model, SequenceScorer)
    table = run.classify("free prize", "see you at noon")
    assert table.column("text") == ["free prize", "see you at noon"]
    assert set(table.column("label")) <= {"ham", "spam"}
    with pytest.raises(InputError, match="is a classifier"):
        run.write("One")
    with pytest.raises(InputError, match="not a classifier"):
        base.classify("One")


def test_settings_are_found_by_name(base: Run) -> None:
    run = tp.instruct(base, tp.instructions(60), steps=2, rank=2, batch_size=4, finetune__dropout=0.1)
    assert run.config["lora"]["rank"] == 2
    assert run.config["finetune"]["dropout"] == 0.1
    assert isinstance(run.answer("Name a fruit.", max_tokens=3), str)
    with pytest.raises(InputError, match="dropout is a setting of lora and of finetune"):
        tp.instruct(base, tp.instructions(60), dropout=0.1)
    with pytest.raises(InputError, match="there is no setting rnak") as error:
        tp.instruct(base, tp.instructions(60), rnak=2)
    assert error.value.hint == "did you mean rank?"


def test_preferences_train_reward_models_and_policies(base: Run) -> None:
    pairs = tp.preferences(60)
    reward = tp.reward(base, pairs, steps=2, batch_size=4)
    aligned = tp.dpo(base, pairs, steps=2, batch_size=4)
    rewarded = tp.ppo(base, reward, pairs, steps=2, batch_size=4, rollout_prompts=4, max_new_tokens=4, eval_prompts=4)
    assert isinstance(reward.model, SequenceScorer)
    assert isinstance(aligned.model, GPT)
    assert rewarded.receipt.steps == 2


def test_a_budget_ends_a_run(base: Run, tmp_path: Path, texts: list[str], tokenizer: Tokenizer) -> None:
    run = tp.pretrain(texts, tmp_path / "run", tokenizer=tokenizer, budget=0.02, rate=36.0, batch_size=2, **SIZES)
    assert 0 < run.receipt.dollars <= 0.02
    assert "budget" in repr(run)


def test_texts_need_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="texts need a tokenizer"):
        tp.pretrain(["a text"], tmp_path / "run")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run"):
        tp.open(tmp_path)

"""Rows that the model cannot see whole are left out and counted; the others have the numbers they have alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate, evaluate_several
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model

EXACT = {"device": "cpu", "precision": "float32"}
SHORT = [
    {"query": "The lamp was", "choices": ["lit", "nobody", "a short one"], "gold": 0},
    {"query": "It rained", "choices": ["again", "stayed"], "gold": 1},
    {"query": "A third", "choices": ["rain", "short one"], "gold": 1},
]
LONG = {"query": "a", "choices": ["b", "x " * 50], "gold": 0}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_row_longer_than_the_context_is_left_out_and_counted(
    world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = evaluate(world.model, ["choices"], EvalConfig(data=write(tmp_path / "short.jsonl", SHORT)), **EXACT)
    assert "left out" not in capsys.readouterr().err
    mixed = write(tmp_path / "mixed.jsonl", [SHORT[0], LONG, *SHORT[1:]])
    numbers = evaluate(world.model, ["choices"], EvalConfig(data=mixed), **EXACT, out=tmp_path / "out")["choices"]
    said = capsys.readouterr().err
    assert "left out 1 row with a continuation longer than the model's context of 32 tokens" in said
    assert "mixed.jsonl, line 2" in said
    assert (numbers["rows"], numbers["left_out"], alone["choices"]["left_out"]) == (4, 1, 0)
    for name in ("acc", "acc_stderr", "acc_norm", "acc_bytes", "chance"):
        assert numbers[name] == pytest.approx(alone["choices"][name])
    # what was left out is in the row log, and is neither scored again nor forgotten
    again = evaluate(world.model, ["choices"], EvalConfig(data=mixed), **EXACT, out=tmp_path / "out")["choices"]
    assert "4 rows of 4 had been scored before" in capsys.readouterr().err
    assert {**again, "seconds": 0} == {**numbers, "seconds": 0}


def test_the_last_words_of_other_passages_are_scored(world: Any, tmp_path: Path) -> None:
    rows = [{"text": "The lamp was lit, and the café"}, {"text": "It rained again; nobody"}]
    long = {"context": "A third,", "continuation": "x" * 200}
    alone = evaluate(world.model, ["lambada"], EvalConfig(data=write(tmp_path / "a.jsonl", rows)), **EXACT)["lambada"]
    mixed = write(tmp_path / "b.jsonl", [long, *rows])
    numbers = evaluate(world.model, ["lambada"], EvalConfig(data=mixed), **EXACT)["lambada"]
    assert (numbers["left_out"], alone["left_out"]) == (1, 0)
    assert numbers["perplexity"] == pytest.approx(alone["perplexity"])


def test_no_row_that_can_be_scored_is_an_error(world: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "long.jsonl", [LONG, LONG])
    with pytest.raises(InputError, match=r"every row of .*long\.jsonl has a continuation longer than .* 32 tokens"):
        evaluate(world.model, ["choices"], EvalConfig(data=file), **EXACT)


def test_two_models_are_compared_on_rows_that_both_scored(world: Any, tmp_path: Path) -> None:
    sizes = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=256, vocab_size=world.tokenizer.vocab_size)
    save_model(GPT(sizes), tmp_path / "longer", tokenizer=world.tokenizer)
    settings = EvalConfig(data=write(tmp_path / "mixed.jsonl", [*SHORT, LONG]))
    found = evaluate_several([tmp_path / "longer", world.model], ["choices"], settings, **EXACT)
    assert [numbers["choices"]["left_out"] for numbers in found["runs"].values()] == [0, 1]
    assert found["comparison"]["tasks"]["choices"]["acc"]["hf"]["units"] == 3


def test_results_of_a_task_are_reported_before_the_next_begins(world: Any, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    files = {"choices": write(tmp_path / "short.jsonl", SHORT), "lambada": write(tmp_path / "bad.jsonl", [{"a": 1}])}
    with pytest.raises(InputError, match="line 1"):
        evaluate(
            world.model,
            ["choices", "lambada"],
            EvalConfig(task_data=files),
            **EXACT,
            on_result=lambda task, numbers: told.append((task, numbers["rows"])),
        )
    assert told == [("choices", 3)]

"""Which data a task reads, what is kept where, and several runs side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate, evaluate_several
from tuppence.evaluation.scoring import questions
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import load
from tuppence.model.saving import save_model, save_scorer
from tuppence.model.weights import load_model

EXACT = {"device": "cpu", "precision": "float32"}
WORDS = ["lamp", "rain", "café", "open", "stayed", "nobody"]


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    rows = [
        {"query": f"The {WORDS[i % 6]}", "choices": [WORDS[(i + k) % 6] for k in (1, 2)], "gold": i % 2}
        for i in range(30)
    ]
    path = tmp_path / "choices.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture
def runs(world: Any, tmp_path: Path) -> list[Path]:
    """The run, and another of the same tokenizer with other weights."""
    first, second = tmp_path / "runs" / "first", tmp_path / "runs" / "second"
    shutil.copytree(world.run, first)
    shutil.copytree(world.run, second)
    model = load_model(world.model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    save_model(model, second / "model", tokenizer=world.tokenizer)
    return [first, second]


def test_several_runs_have_their_own_metrics_and_paired_differences(runs: list[Path], choices: Path) -> None:
    settings = EvalConfig(task_data={"choices": str(choices)}, stride=32, batch_size=2)
    found = evaluate_several(runs, ["perplexity", "choices"], settings, **EXACT)
    alone = [evaluate(run, ["perplexity", "choices"], settings, **EXACT) for run in runs]
    for name, one in zip(("first", "second"), alone, strict=True):
        for task, key in (("perplexity", "bits_per_byte"), ("choices", "acc_norm")):
            assert found["runs"][name][task][key] == one[task][key]
    tasks = found["comparison"]["tasks"]
    for task, metric in (("perplexity", "bits_per_byte"), ("choices", "acc"), ("choices", "acc_norm")):
        difference = tasks[task][metric]["second"]
        assert difference["difference"] == pytest.approx(alone[1][task][metric] - alone[0][task][metric])
        assert difference["low"] <= difference["difference"] <= difference["high"]
    assert tasks["choices"]["acc"]["second"]["units"] == 30
    assert (found["comparison"]["reference"], "paired bootstrap" in found["comparison"]["method"]) == ("first", True)


def test_the_same_run_twice_is_refused(runs: list[Path]) -> None:
    with pytest.raises(InputError, match="twice"):
        evaluate_several([runs[0], runs[0]], **EXACT)


def test_only_rows_of_another_model_are_scored_again(
    runs: list[Path], choices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []
    real = questions.score_questions

    def counting(model: Any, asked: Any) -> Any:
        scored.append(len(asked))
        return real(model, asked)

    monkeypatch.setattr(questions, "score_questions", counting)
    settings = EvalConfig(data=str(choices))
    first = evaluate(runs[0], ["choices"], EvalConfig(data=str(choices), limit=10), **EXACT)
    again = evaluate(runs[0], ["choices"], settings, **EXACT)
    third = evaluate(runs[0], ["choices"], settings, **EXACT)
    assert scored == [10, 20, 0]
    assert first["choices"]["rows"] == 10
    assert again["choices"]["acc"] == third["choices"]["acc"]

    shutil.copytree(runs[1] / "model", runs[0] / "model", dirs_exist_ok=True)  # trained further
    evaluate(runs[0], ["choices"], settings, **EXACT)
    choices.write_text(choices.read_text() + " ")
    evaluate(runs[0], ["choices"], settings, **EXACT)
    assert scored == [10, 20, 0, 30, 30]


def test_a_fingerprint_changes_only_if_a_weight_changes(world: Any) -> None:
    loaded = [load(folder, "cpu", "float32", head="lm") for folder in (world.model, world.run)]
    assert loaded[0].values_fingerprint == loaded[1].values_fingerprint
    changed = load(world.model, "cpu", "float32", head="lm")
    with torch.no_grad():
        changed.model.final_norm.bias[3] += 1e-6
    assert changed.values_fingerprint != loaded[0].values_fingerprint


def test_data_is_the_text_of_perplexity_or_the_rows_of_the_only_other_task(world: Any, choices: Path) -> None:
    mixed = EvalConfig(data=str(world.text), task_data={"choices": str(choices)}, max_tokens=9)
    found = evaluate(world.model, ["perplexity", "choices"], mixed, **EXACT)
    assert (found["perplexity"]["data"], found["choices"]["data"]) == (str(world.text), str(choices))
    with pytest.raises(InputError, match="could be the file of choices or of lambada") as refusal:
        evaluate(world.model, ["choices", "lambada"], EvalConfig(data=str(choices)), **EXACT)
    assert "--task-data choices=FILE --task-data lambada=FILE" in refusal.value.hint
    with pytest.raises(InputError, match="'hellswag', which is no task"):
        evaluate(world.model, ["choices"], EvalConfig(task_data={"hellswag": "x"}), **EXACT)


def test_a_missing_file_is_noticed_before_the_model_is_loaded(world: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"lambada needs its rows, and data/lambada_test\.jsonl does not exist"
    ) as refusal:
        evaluate(world.model, ["perplexity", "lambada"], EvalConfig(data=str(world.text)), **EXACT)
    assert "tuppence data get lambada --out data/lambada_test.jsonl" in refusal.value.hint
    with pytest.raises(InputError, match="choices needs a file of rows"):
        evaluate(world.model, ["choices"], EvalConfig(), **EXACT)


def test_results_are_written_to_out(world: Any, runs: list[Path], choices: Path, tmp_path: Path) -> None:
    settings = EvalConfig(task_data={"choices": str(choices)})
    evaluate(world.model, ["choices"], settings, **EXACT, out=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["evaluation", "evaluation.json"]
    found = evaluate_several(runs, ["choices"], settings, **EXACT, out=tmp_path / "both")
    assert json.loads((tmp_path / "both" / "comparison.json").read_text()) == found
    assert (tmp_path / "both" / "second" / "evaluation" / "choices.jsonl").is_file()
    assert not (runs[0] / "evaluation").exists()


@pytest.mark.shared_data
def test_the_public_files_are_scored(world: Any, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "eval"
    data = {"lambada": "lambada_openai_test.jsonl", "hellaswag": "hellaswag_val.jsonl.gz"}
    settings = EvalConfig(task_data={task: str(folder / name) for task, name in data.items()}, limit=20)
    model = load_model(world.model)  # its context of 32 is too short for some of HellaSwag's continuations
    wide = torch.nn.Embedding(256, 16)
    model.position_embedding, model.config = wide, model.config.model_copy(update={"context_length": 256})
    save_model(model, tmp_path / "model", tokenizer=world.tokenizer)
    found = evaluate(tmp_path / "model", ["lambada", "hellaswag"], settings, **EXACT)
    assert found["lambada"]["rows"] == found["hellaswag"]["rows"] == 20
    assert found["hellaswag"]["chance"] == 0.25
    assert found["lambada"]["data_sha256"].startswith("411bfbe5")


def test_models_of_two_kinds_are_refused_before_anything_is_scored(
    world: Any, runs: list[Path], tmp_path: Path
) -> None:
    save_scorer(
        SequenceScorer(load_model(world.model), 2), tmp_path / "spam", labels=["ham", "spam"], tokenizer=world.tokenizer
    )
    with pytest.raises(InputError, match="first is a language model and spam a classifier"):
        evaluate_several([runs[0], tmp_path / "spam"], **EXACT)


def test_runs_with_the_same_name_have_separate_folders(runs: list[Path], choices: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    same = [runs[0].rename(tmp_path / "x" / "run"), runs[1].rename(tmp_path / "y" / "run")]
    out = tmp_path / "out"
    found = evaluate_several(same, ["choices"], EvalConfig(data=str(choices)), **EXACT, out=out)
    kept = [json.loads(path.read_text()) for path in out.glob("*/evaluation.json")]
    assert sorted(kept, key=str) == sorted(found["runs"].values(), key=str)
    assert len(list(out.glob("*/evaluation/choices.jsonl"))) == 2

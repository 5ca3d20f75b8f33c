from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuppence.core.errors import InputError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import TASKS, check_tasks, evaluate, evaluate_several
from tuppence.evaluation.lm_eval.tasks import OPTIONS

EXACT = {"device": "cpu", "precision": "float32"}


def test_a_run_is_evaluated_on_its_own_data_and_keeps_the_metrics(world: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(world.run, run)
    (run / "evaluation.json").write_text('{"other": {"accuracy": 0.5}, "perplexity": {"loss": 1}}')
    results = evaluate(run, **EXACT)
    assert results["perplexity"]["data"] == str(world.data)
    assert json.loads((run / "evaluation.json").read_text()) == {"other": {"accuracy": 0.5}, **results}


def test_a_damaged_evaluation_file_is_replaced(world: Any, tmp_path: Path) -> None:
    shutil.copytree(world.run, tmp_path / "run")
    (tmp_path / "run" / "evaluation.json").write_text('{"perplexity": ')
    results = evaluate(tmp_path / "run", config=EvalConfig(max_tokens=5), **EXACT)
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text()) == results
    assert results["perplexity"]["tokens"] == 5


def test_a_hugging_face_folder_is_not_written_to(world: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.model.iterdir()}
    evaluate(world.model, config=EvalConfig(data=str(world.text), max_tokens=5), **EXACT)
    assert {path: path.stat().st_mtime_ns for path in world.model.iterdir()} == before


@pytest.mark.parametrize(
    ("tasks", "hint"),
    [
        (["perplexty"], "did you mean perplexity?"),
        (["hellswag"], "did you mean hellaswag?"),
        (["xyz"], f"known tasks: {', '.join(TASKS)}"),
        ([], f"known tasks: {', '.join(TASKS)}"),
    ],
)
def test_an_unknown_task_is_refused_before_anything_is_loaded(tasks: list[str], hint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        evaluate(tmp_path / "no such run", tasks)
    assert refusal.value.hint == hint
    check_tasks(["perplexity"])


@pytest.mark.parametrize("runs", [1, 2])
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_loaded(runs: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    absent = [tmp_path / f"no such run {number}" for number in range(runs)]
    with pytest.raises(InputError, match=r"cannot write .*file: Not a directory"):
        evaluate_several(absent, out=tmp_path / "file") if runs > 1 else evaluate(absent[0], out=tmp_path / "file")


def test_a_read_only_run_is_evaluated_without_saving(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world.run, tmp_path / "run")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere but on a read-only disk
    assert evaluate(tmp_path / "run", config=EvalConfig(max_tokens=5), **EXACT)["perplexity"]["tokens"] == 5
    assert not (tmp_path / "run" / "evaluation.json").exists()
    assert "printed and not saved" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("task", "name", "content", "message"),
    [
        ("choices", "a.jsonl", '{"query": "q"}\n{"query": \n', "line 2: not valid JSON"),
        ("choices", "a.csv", "query,gold\nq,1\nr,2,3\ns,1\n", "line 3: 3 columns, where the file has 2"),
        ("exact_match", "a.json", '[{"instruction": "Add.", "output": ""}]', "row 1: the response is empty"),
    ],
)
def test_the_skip_bad_rows_hint_is_given_only_for_tasks_that_support_it(
    world: Any, task: str, name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as refusal:
        evaluate(world.model, [task], EvalConfig(data=str(tmp_path / name)), **EXACT)
    advertised = "--skip-bad-rows" in refusal.value.hint
    assert advertised == TASKS[task].skips_rows  # the rows of a public benchmark are the same for all models


def finetuned(world: Any, place: Path, base: str, verb: str = "finetune instruct") -> Path:
    """A run on rows, that started from another."""
    shutil.copytree(world.model, place / "model")
    record = {"verb": verb, "data": {"path": "rows.json"}, "base": {"path": base}}
    (place / "run.yaml").write_text(yaml.safe_dump(record))
    return place


def test_a_finetuned_run_is_scored_on_the_text_of_the_run_that_it_comes_from(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(world.run, tmp_path / "project" / "runs" / "base")
    instruct = finetuned(world, tmp_path / "project" / "runs" / "instruct", "runs/base")
    dpo = finetuned(world, tmp_path / "project" / "runs" / "dpo", "runs/instruct", "align dpo")
    wanted = evaluate(tmp_path / "project" / "runs" / "base", config=EvalConfig(max_tokens=20), **EXACT)["perplexity"]
    for here in (tmp_path, tmp_path / "project", dpo):  # wherever we stand
        monkeypatch.chdir(here)
        for run in (instruct, dpo):
            found = evaluate(run, config=EvalConfig(max_tokens=20), **EXACT)["perplexity"]
            assert (found["loss"], found["data"]) == (wanted["loss"], wanted["data"])


def test_the_error_without_a_text_asks_for_one(world: Any, tmp_path: Path) -> None:
    lonely = finetuned(world, tmp_path / "lonely", "runs/gone")
    with pytest.raises(InputError, match="perplexity needs a text"):
        evaluate(lonely, **EXACT)


def test_metrics_have_the_fingerprint_of_their_weights_and_those_of_other_weights_are_dropped(
    world: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(world.run, run)
    other = {"old": {"accuracy": 0.5}, "stale": {"accuracy": 0.5, "weights": "0" * 64}}
    (run / "evaluation.json").write_text(json.dumps(other))
    weights = hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()
    assert evaluate(run)["perplexity"]["weights"] == weights
    kept = json.loads((run / "evaluation.json").read_text())
    assert kept.keys() == {"old", "perplexity"}  # of "old" it is not known


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EvalConfig(skip_bad_rows=True), "perplexity reads every row: --skip-bad-rows is for exact_match"),
        (EvalConfig(text_column="a"), "--text-column and --label-column are for a classifier's file"),
    ],
)
def test_options_about_rows_are_refused_for_tasks_that_ignore_them(
    world: Any, settings: EvalConfig, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(world.run, config=settings)


def test_an_option_that_no_task_uses_gives_a_warning(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(world.model, config=EvalConfig(data=str(world.text), max_tokens=5, limit=3, judge_url="x"), **EXACT)
    assert "warning: --limit, --judge-url: no effect on perplexity" in capsys.readouterr().err
    evaluate(world.model, config=EvalConfig(data=str(world.text), max_tokens=5, stride=2, batch_size=1), **EXACT)
    assert "no effect" not in capsys.readouterr().err


def test_every_option_is_used_by_a_task() -> None:
    used = {option for task in TASKS.values() for option in task.options} | set(OPTIONS)
    named = {"data", "task_data", "data_folder"}
    assert used | named == {field.name for field in dataclasses.fields(EvalConfig)}

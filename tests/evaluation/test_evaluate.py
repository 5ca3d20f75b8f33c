from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuppence.core.errors import InputError
from tuppence.evaluation.evaluate import RESULTS_NAME, TASKS, Settings, check_tasks, evaluate

EXACT = {"device": "cpu", "precision": "float32"}


def test_a_run_is_evaluated_on_its_own_data_and_keeps_the_numbers(world: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(world.run, run)
    (run / RESULTS_NAME).write_text('{"other": {"accuracy": 0.5}, "perplexity": {"loss": 1}}')
    results = evaluate(run, **EXACT)
    assert results["perplexity"]["data"] == str(world.data)
    assert json.loads((run / RESULTS_NAME).read_text()) == {"other": {"accuracy": 0.5}, **results}


def test_a_damaged_file_of_earlier_numbers_is_replaced(world: Any, tmp_path: Path) -> None:
    shutil.copytree(world.run, tmp_path / "run")
    (tmp_path / "run" / RESULTS_NAME).write_text('{"perplexity": ')
    results = evaluate(tmp_path / "run", settings=Settings(max_tokens=5), **EXACT)
    assert json.loads((tmp_path / "run" / RESULTS_NAME).read_text()) == results
    assert results["perplexity"]["tokens"] == 5


def test_a_hugging_face_folder_is_not_written_to(world: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.model.iterdir()}
    evaluate(world.model, settings=Settings(data=str(world.text), max_tokens=5), **EXACT)
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


def test_a_run_that_cannot_be_written_to_is_evaluated_all_the_same(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world.run, tmp_path / "run")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere but on a read-only disk
    assert evaluate(tmp_path / "run", settings=Settings(max_tokens=5), **EXACT)["perplexity"]["tokens"] == 5
    assert not (tmp_path / "run" / RESULTS_NAME).exists()
    assert "shown and not kept" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("task", "name", "content", "message"),
    [
        ("choices", "a.jsonl", '{"query": "q"}\n{"query": \n', "row 2: not valid JSON"),
        ("choices", "a.csv", "query,gold\nq,1\nr,2,3\ns,1\n", "row 3: 3 columns, where the file has 2"),
        ("exact_match", "a.json", '[{"instruction": "Add.", "output": ""}]', "row 1: the response is empty"),
    ],
)
def test_no_row_is_left_out_and_no_flag_that_would_is_advertised(
    world: Any, task: str, name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as refusal:
        evaluate(world.model, [task], Settings(data=str(tmp_path / name)), **EXACT)
    assert refusal.value.hint == "fix the row, or leave it out of the file"  # `evaluate` has no --skip-bad-rows


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
    wanted = evaluate(tmp_path / "project" / "runs" / "base", settings=Settings(max_tokens=20), **EXACT)["perplexity"]
    for here in (tmp_path, tmp_path / "project", dpo):  # wherever we stand
        monkeypatch.chdir(here)
        for run in (instruct, dpo):
            found = evaluate(run, settings=Settings(max_tokens=20), **EXACT)["perplexity"]
            assert (found["loss"], found["data"]) == (wanted["loss"], wanted["data"])


def test_where_no_text_is_known_one_is_asked_for(world: Any, tmp_path: Path) -> None:
    lonely = finetuned(world, tmp_path / "lonely", "runs/gone")
    with pytest.raises(InputError, match="perplexity needs a text"):
        evaluate(lonely, **EXACT)

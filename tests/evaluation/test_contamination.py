"""Rows that a run, or one that it comes from, was trained on are counted; others are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.run import Run
from tuppence.data.records.labelled import LabelledText
from tuppence.data.records.trained_rows import write_trained_rows
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.evaluate import evaluate

ROWS = [LabelledText(text, "x") for text in ("You have won", "see you at nine", "call now", "thanks")]


def run(folder: Path, rows: list[LabelledText], base: Path | None = None) -> Path:
    record = {"verb": "finetune"} | ({} if base is None else {"base": {"path": str(base)}})
    folder.mkdir()
    Run(folder).update(**record)
    write_trained_rows(folder, rows)
    return folder


def test_rows_of_the_run_and_of_its_bases_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(tmp_path / "first", ROWS[:1])
    second = run(tmp_path / "second", [LabelledText("SEE  you at nine", "y")], base=first)
    assert contamination(second, "test.tsv", ROWS) == {"rows_trained_on": 2}
    told = " ".join(capsys.readouterr().err.split())
    assert f"{second} was trained on 2 of the 4 rows of test.tsv" in told
    assert contamination(second / "model", "test.tsv", ROWS) == {
        "rows_trained_on": 2
    }  # its model is as good as the run
    assert contamination(first, "test.tsv", ROWS) == {"rows_trained_on": 1}


def test_questions_with_choices_and_passages_are_counted_too(world: Any, tmp_path: Path) -> None:
    place = tmp_path / "run"
    shutil.copytree(world.run, place)
    write_trained_rows(
        place, [LabelledText("What falls from clouds?", "rain"), LabelledText("The rain fell on the", "")]
    )
    questions, passages = tmp_path / "questions.jsonl", tmp_path / "passages.jsonl"
    choices = {"text": ["sand", "rain"], "label": ["A", "B"]}
    asked = [{"question": text, "choices": choices, "answerKey": "B"} for text in ("What falls from  clouds?", "Why?")]
    questions.write_text("".join(json.dumps(row) + "\n" for row in asked))
    passages.write_text('{"text": "The rain fell on the lamp"}\n{"text": "Nobody minded the rain"}\n')
    settings = EvalConfig(task_data={"arc_easy": str(questions), "lambada": str(passages)})
    numbers = evaluate(place, ["arc_easy", "lambada"], settings, device="cpu", precision="float32")
    assert [numbers[task]["rows_trained_on"] for task in ("arc_easy", "lambada")] == [1, 1]


def test_no_known_row_gives_zero_without_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only = run(tmp_path / "run", ROWS[:2])
    assert contamination(only, "test.tsv", ROWS[2:]) == {"rows_trained_on": 0}
    assert capsys.readouterr().err == ""


def test_the_count_is_unknown_if_no_run_has_hashes(tmp_path: Path) -> None:
    assert contamination(tmp_path, "test.tsv", ROWS) == {"rows_trained_on": None}


def test_a_missing_base_makes_a_count_of_zero_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = run(tmp_path / "run", ROWS[:1], base=tmp_path / "gone")
    assert contamination(gone, "test.tsv", ROWS) == {"rows_trained_on": 1}
    assert contamination(gone, "test.tsv", ROWS[1:]) == {"rows_trained_on": None}
    assert f"the base {tmp_path / 'gone'} of {gone} was not found" in " ".join(capsys.readouterr().err.split())


def test_a_base_is_found_from_any_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "runs").mkdir(parents=True)
    run(tmp_path / "project" / "runs" / "base", ROWS[:2])
    tuned = run(tmp_path / "project" / "runs" / "tuned", ROWS[2:3], base=Path("runs/base"))
    for here in (tmp_path / "project", tmp_path, tuned):
        monkeypatch.chdir(here)
        assert contamination(tuned, "test.tsv", ROWS) == {"rows_trained_on": 3}


def test_a_cycle_of_bases_ends(tmp_path: Path) -> None:
    one = run(tmp_path / "one", ROWS[:1], base=tmp_path / "two")
    run(tmp_path / "two", ROWS[1:2], base=one)
    assert contamination(one, "test.tsv", ROWS) == {"rows_trained_on": 2}


def test_a_base_with_a_damaged_run_file_is_ignored(tmp_path: Path) -> None:
    base = run(tmp_path / "base", ROWS[:2])
    tuned = run(tmp_path / "tuned", ROWS[2:3], base=base)
    (base / "run.yaml").write_text("status: [")
    assert contamination(tuned, "test.tsv", ROWS) == {"rows_trained_on": 1}

"""A run is read in any state: still training, killed in the middle of a line, edited, or nearly empty."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from tuppence.core.errors import InputError
from tuppence.figures.report.page import write_report
from tuppence.figures.run_data import RunData, by_step, finite, last, read_run, series


def test_every_file_of_a_finished_run_is_read(tmp_path: Path, make_run: Any) -> None:
    run = read_run(make_run(tmp_path / "run", steps=100))
    assert len(run.metrics) == 100
    assert run.get("config", "model", "n_layers") == 6
    assert run.number("result", "tokens_per_second") == 2604.0
    assert run.evaluation["perplexity"]["stride"] == 128
    assert run.problems == []


def test_an_incomplete_last_line_is_left_out_silently(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 9.0}\n{"step": 2, "lo')
    run = read_run(tmp_path)
    assert run.metrics == [{"step": 1, "loss": 9.0}]
    assert run.problems == []


def test_damaged_lines_in_between_are_counted(tmp_path: Path, lines: Any) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n\xff\xfe\n[1]\n"x"\n\n{"step": 2}\n')
    run = read_run(tmp_path)
    assert [row["step"] for row in run.metrics] == [1, 2]
    assert run.problems == ["metrics.jsonl: 3 damaged lines were left out"]


def test_the_later_values_of_a_step_logged_twice_are_used(tmp_path: Path) -> None:
    rows = [{"step": 1, "loss": 9.0}, {"step": 2, "loss": 8.0, "val_loss": 8.5}, {"step": 2, "loss": 7.9}, {"loss": 1}]
    assert by_step([*rows, {"step": 0, "loss": 9.5}]) == [
        {"step": 0, "loss": 9.5},
        {"step": 1, "loss": 9.0},
        {"step": 2, "loss": 7.9, "val_loss": 8.5},
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.yaml", "status: [unclosed"),
        ("run.yaml", "just a text"),
        ("run.yaml", "a: !!python/object/apply:os.system ['true']"),
        ("evaluation.json", '{"perplexity": '),
        ("evaluation.json", "[1, 2]"),
    ],
)
def test_a_damaged_file_is_a_problem_and_the_others_are_read(
    name: str, content: str, tmp_path: Path, make_run: Any
) -> None:
    make_run(tmp_path, steps=3)
    (tmp_path / name).write_text(content)
    run = read_run(tmp_path)
    assert len(run.metrics) == 3
    assert len(run.problems) == 1
    assert name in run.problems[0]


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        read_run(tmp_path / "absent")


def test_only_finite_numbers_reach_a_curve() -> None:
    values = [1.5, float("nan"), None, float("inf"), "3", True, 2, 10**400]
    metrics = [json.loads(json.dumps({"step": step, "loss": value})) for step, value in enumerate(values)]
    assert series(metrics, "loss") == ([0.0, 6.0], [1.5, 2.0])
    assert last(metrics, "loss") == 2.0
    assert last([], "loss") is None
    assert finite(True) is None


def test_a_missing_value_of_run_yaml_is_none() -> None:
    run = RunData(Path("x"), meta={"result": {"steps": 4, "tokens": "many"}, "data": None})
    assert run.get("result", "steps") == 4
    assert run.get("data", "path") is None
    assert run.get("result", "steps", "deeper") is None
    assert run.number("result", "tokens") is None


def model_of(folder: Path, content: bytes) -> str:
    """Gives a run a model; returns the fingerprint of its weights."""
    (folder / "model").mkdir(exist_ok=True)
    tensors = save({"transformer.wte.weight": np.frombuffer(content, dtype=np.uint8)})
    (folder / "model" / "model.safetensors").write_bytes(tensors)
    (folder / "model" / "config.json").write_text("{}")
    return hashlib.sha256(tensors).hexdigest()


def test_results_of_other_weights_are_left_out_with_a_problem(
    tmp_path: Path, make_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path, steps=3)
    weights = model_of(run, b"now")
    results = {"perplexity": {"loss": 1.0, "weights": weights}, "lambada": {"accuracy": 0.5, "weights": "0" * 64}}
    (run / "evaluation.json").write_text(json.dumps(results))
    found = read_run(run)
    assert found.evaluation.keys() == {"perplexity"}
    assert "lambada scored other weights" in found.problems[0]
    model_of(run, b"later")
    assert read_run(run).evaluation == {}
    write_report(run)
    assert "perplexity, lambada scored other weights" in capsys.readouterr().err


def test_results_without_a_fingerprint_are_a_problem_if_the_model_is_newer(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path, steps=3)
    model_of(run, b"now")
    os.utime(run / "evaluation.json", (1, 1))
    found = read_run(run)
    assert found.evaluation.keys() == {"perplexity"}
    assert "does not say which weights it scored" in found.problems[0]

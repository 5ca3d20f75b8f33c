from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.api.metrics import mean_stderr

from tuppence.core.environment import Precision
from tuppence.data.records.rows import Row
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.rows.files import RowFile
from tuppence.evaluation.task import about_rows, open_log, row_scores, standard_error
from tuppence.model.loaded import LoadedModel, load
from tuppence.tokenizer import train_tokenizer


@pytest.fixture
def loaded(world: Any) -> LoadedModel:
    return load(world.model, "cpu", "float32", head="lm")


def test_the_standard_error_equals_lm_evals() -> None:
    random = np.random.default_rng(0)
    for values in ([0.0, 1.0], random.random(7).tolist(), (random.random(500) < 0.3).astype(float).tolist()):
        assert standard_error(values) == pytest.approx(mean_stderr(values))
    assert standard_error([3.0]) is None  # where lm-eval divides by zero


def test_data_of_a_task_comes_before_common_data() -> None:
    settings = EvalConfig(data="all.json", task_data={"piqa": "piqa.json"})
    assert (settings.data_of("piqa"), settings.data_of("choices")) == ("piqa.json", "all.json")
    assert EvalConfig(task_data={"piqa": "piqa.json"}).data_of("choices") is None


def test_rows_weigh_one_each_and_are_compared_only_on_the_same_file(loaded: LoadedModel) -> None:
    file = RowFile("rows.json", "ab12", [Row("row", {})] * 3)
    scores = row_scores([1, 0, 0.5], file)
    assert scores.values.sum() / scores.weights.sum() == 0.5
    assert (scores.weights.tolist(), scores.unit, scores.data) == ([1, 1, 1], "rows", "ab12")
    about = about_rows(file, EvalConfig(limit=3), loaded)
    assert about == {
        "rows": 3,
        "limit": 3,
        "data": "rows.json",
        "data_sha256": "ab12",
        "precision": "float32",
        "device": "cpu",
    }


def _other_weight(loaded: LoadedModel) -> dict[str, Any]:
    with torch.no_grad():
        loaded.model.final_norm.bias[3] += 1e-6
    return {"loaded": loaded}


CHANGES: dict[str, Any] = {
    "task": lambda loaded: {"task": "choices"},
    "model": _other_weight,
    "tokenizer": lambda loaded: {"loaded": replace(loaded, tokenizer=train_tokenizer(["other words"], 262))},
    "precision": lambda loaded: {"loaded": replace(loaded, precision=Precision("bf16", "as asked"))},
    "data": lambda loaded: {"data": "cd34"},
    "settings": lambda loaded: {"settings": {"stride": 9}},
}


def test_the_same_evaluation_finds_its_results_again(loaded: LoadedModel, tmp_path: Path) -> None:
    for found in ({}, {0: {"score": 1}}):
        with open_log("piqa", loaded, "ab12", tmp_path, {"stride": 8}) as log:
            assert log.results == found
            log.add(0, {"score": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["piqa.jsonl"]


def test_the_key_of_a_row_log_is_the_one_of_earlier_versions(loaded: LoadedModel, tmp_path: Path) -> None:
    """Logs that are on disk stay usable only while their keys are computed in the same way."""
    digest = hashlib.sha256()
    for name, tensor in sorted(loaded.model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} torch.float32".encode() + tensor.numpy().tobytes())
    with open_log("piqa", loaded, "ab12", tmp_path):
        pass
    assert json.loads((tmp_path / "piqa.jsonl").read_text()) == {
        "key": {
            "task": "piqa",
            "model": digest.hexdigest(),
            "tokenizer": loaded.tokenizer.fingerprint,
            "precision": "float32",
            "data": "ab12",
            "settings": {},
        }
    }


@pytest.mark.parametrize("what", CHANGES)
def test_the_key_of_a_row_log_has_everything_that_results_depend_on(
    what: str, loaded: LoadedModel, tmp_path: Path
) -> None:
    given = {"task": "piqa", "loaded": loaded, "data": "ab12", "settings": {"stride": 8}}
    with open_log(folder=tmp_path, **given) as log:
        log.add(0, {"score": 1})
    (tmp_path / "choices.jsonl").write_bytes((tmp_path / "piqa.jsonl").read_bytes())
    changed = {**given, "loaded": load(loaded.folder, "cpu", "float32", head="lm")}
    changed |= CHANGES[what](changed["loaded"])
    assert open_log(folder=tmp_path, **changed).results == {}


def test_the_model_is_not_hashed_without_a_folder_for_the_log(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LoadedModel, "values_fingerprint", property(lambda self: pytest.fail("the model was hashed")))
    assert open_log("piqa", loaded, "ab12", None).path is None

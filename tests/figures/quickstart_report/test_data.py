"""What a quickstart left in its folder is read, and damaged parts are left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuppence.figures.quickstart_report.data import STATE_NAME, LifeState, QuickstartData, number_at
from tuppence.figures.run_data import RunData


def stage(seconds: Any = 10.0, numbers: Any = None) -> dict[str, Any]:
    return {"title": "t", "command": "c", "seconds": seconds, "numbers": {} if numbers is None else numbers}


def life(stages: dict[str, Any], **runs: RunData) -> QuickstartData:
    return QuickstartData(Path("x"), LifeState(stages), runs)


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    state = LifeState({"data": stage(3)}, {"dpo": {"amount": 5, "minutes": None, "wish": {}}}, {"spam": "no time"})
    assert not LifeState.exists(tmp_path)
    state.write(tmp_path)
    assert LifeState.exists(tmp_path)
    assert LifeState.read(tmp_path) == state


def test_damaged_stages_are_left_out(tmp_path: Path) -> None:
    whole = {"stories": stage(numbers={"bytes": 3}), "data": stage(0)}
    damaged = {"spam": 1, "dpo": stage("long"), "report": stage(float("nan")), "evaluate": stage(numbers=[1])}
    (tmp_path / STATE_NAME).write_text(json.dumps({"version": 1, "stages": {**whole, **damaged}}))
    assert LifeState.read(tmp_path).stages == whole


def test_damaged_sizes_are_left_out(tmp_path: Path) -> None:
    shares = {
        "pretrain": {"amount": 400, "minutes": 2.5, "wish": {}},
        "dpo": {"amount": None, "minutes": 1, "wish": {"minutes": 1}},
    }
    damaged = {"spam": 3, "instruct": {"amount": -1}, "data": {"amount": True}, "report": {"minutes": float("inf")}}
    content = {"stages": {}, "shares": {**shares, **damaged}, "left_out": {"spam": "no time"}}
    (tmp_path / STATE_NAME).write_text(json.dumps(content))
    assert LifeState.read(tmp_path) == LifeState({}, shares, {"spam": "no time"})
    (tmp_path / STATE_NAME).write_text('{"shares": [], "left_out": 7}')
    assert LifeState.read(tmp_path) == LifeState()


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"stages": [1]}', '{"stages": {"pretrain": 1}}'])
def test_a_damaged_state_is_an_empty_one(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / STATE_NAME).write_text(content)
    assert LifeState.read(tmp_path) == LifeState()


def test_the_total_time_is_that_of_all_stages_but_the_report() -> None:
    stages = {"stories": stage(2.5), "pretrain": stage(100), "report": stage(8)}
    assert life(stages).seconds == 102.5


def test_a_stage_that_was_not_done_has_no_numbers() -> None:
    found = life({"evaluate": stage(numbers={"runs": {"dpo": 1}}), "data": stage(numbers="odd")})
    assert found.scores == {"dpo": 1}
    assert (found.numbers("data"), found.numbers("spam"), found.classes) == ({}, {}, {})
    assert life({"evaluate": stage(numbers={"runs": [1]})}).scores == {}


def test_the_classifier_and_the_last_metrics_come_from_the_runs() -> None:
    spam = RunData(Path("spam"), evaluation={"classification": {"accuracy": 0.97}})
    metrics = [{"step": 1, "val_loss": 2.0}, {"step": 2, "val_loss": 1.5}, {"step": 3, "loss": 1.0}]
    found = life({}, spam=spam, dpo=RunData(Path("dpo"), metrics=metrics))
    assert found.classes == {"accuracy": 0.97}
    assert (found.last("dpo", "val_loss"), found.last("dpo", "mfu"), found.last("instruct", "loss")) == (
        1.5,
        None,
        None,
    )


def test_a_number_is_found_by_its_path_if_it_is_finite() -> None:
    scores = {"dpo": {"perplexity": {"loss": 1.5, "odd": "x", "nan": float("nan")}}}
    assert number_at(scores, "dpo", "perplexity", "loss") == 1.5
    for path in (("dpo", "perplexity"), ("dpo", "perplexity", "odd"), ("dpo", "perplexity", "nan"), ("spam", "f1")):
        assert number_at(scores, *path) is None

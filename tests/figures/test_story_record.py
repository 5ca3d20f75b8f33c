"""What the quickstart left behind is read however much of it there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuppence.figures.record import RunRecord
from tuppence.figures.story_record import RECORD_NAME, Story, number_at, read_left_out, read_shares, read_story


def stage(seconds: Any = 10.0, numbers: Any = None) -> dict[str, Any]:
    return {"title": "t", "command": "c", "seconds": seconds, "numbers": {} if numbers is None else numbers}


def test_what_was_kept_is_read_back_and_a_damaged_stage_costs_itself_alone(tmp_path: Path) -> None:
    whole = {"stories": stage(numbers={"bytes": 3}), "data": stage(0)}
    damaged = {"spam": 1, "dpo": stage("long"), "report": stage(float("nan")), "evaluate": stage(numbers=[1])}
    (tmp_path / RECORD_NAME).write_text(json.dumps({"version": 1, "stages": {**whole, **damaged}}))
    assert read_story(tmp_path) == whole


def test_sizes_and_reasons_are_read_back_and_damaged_ones_left_out(tmp_path: Path) -> None:
    shares = {
        "pretrain": {"amount": 400, "minutes": 2.5, "wish": {}},
        "dpo": {"amount": None, "minutes": 1, "wish": {"minutes": 1}},
    }
    damaged = {"spam": 3, "instruct": {"amount": -1}, "data": {"amount": True}, "report": {"minutes": float("inf")}}
    content = {"stages": {}, "shares": {**shares, **damaged}, "left_out": {"spam": "no time"}}
    (tmp_path / RECORD_NAME).write_text(json.dumps(content))
    assert read_shares(tmp_path) == shares
    assert read_left_out(tmp_path) == {"spam": "no time"}
    (tmp_path / RECORD_NAME).write_text('{"shares": [], "left_out": 7}')
    assert (read_shares(tmp_path), read_left_out(tmp_path)) == ({}, {})


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"stages": [1]}', '{"stages": {"pretrain": 1}}'])
def test_a_damaged_record_is_one_that_tells_nothing(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / RECORD_NAME).write_text(content)
    assert read_story(tmp_path) == {}


def test_the_time_of_the_whole_is_that_of_all_stages_but_the_report() -> None:
    stages = {"stories": stage(2.5), "pretrain": stage(100), "report": stage(8)}
    assert Story(Path("x"), stages, {}).seconds == 102.5


def test_numbers_of_a_stage_that_was_not_done_are_none_and_no_crash() -> None:
    story = Story(Path("x"), {"evaluate": stage(numbers={"runs": {"dpo": 1}}), "data": stage(numbers="odd")}, {})
    assert story.scores == {"dpo": 1}
    assert (story.numbers("data"), story.numbers("spam"), story.classes) == ({}, {}, {})
    assert Story(Path("x"), {"evaluate": stage(numbers={"runs": [1]})}, {}).scores == {}


def test_a_classifier_s_numbers_and_a_metric_s_last_value_come_from_the_runs() -> None:
    spam = RunRecord(Path("spam"), evaluation={"classification": {"accuracy": 0.97}})
    metrics = [{"step": 1, "val_loss": 2.0}, {"step": 2, "val_loss": 1.5}, {"step": 3, "loss": 1.0}]
    story = Story(Path("x"), {}, {"spam": spam, "dpo": RunRecord(Path("dpo"), metrics=metrics)})
    assert story.classes == {"accuracy": 0.97}
    assert (story.last("dpo", "val_loss"), story.last("dpo", "mfu"), story.last("instruct", "loss")) == (
        1.5,
        None,
        None,
    )


def test_a_number_is_found_at_the_end_of_its_path_if_it_is_a_finite_one() -> None:
    scores = {"dpo": {"perplexity": {"loss": 1.5, "odd": "x", "nan": float("nan")}}}
    assert number_at(scores, "dpo", "perplexity", "loss") == 1.5
    for path in (("dpo", "perplexity"), ("dpo", "perplexity", "odd"), ("dpo", "perplexity", "nan"), ("spam", "f1")):
        assert number_at(scores, *path) is None

"""How the flags of `pretrain` arrive in the task. What the task refuses: tests/integration/test_bad_input.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import (
    RUN_FLAGS,
    SUMMARY,
    Call,
    Intercept,
    assert_refused,
    assert_run_flags_arrived,
)
from tests.conftest import ROOT

from tuppence.core.config import load_config
from tuppence.tasks.pretrain import PretrainRecipe

LINE = ["pretrain", "--data", "data", "--out", "run"]


def test_recipe_flags_and_limits_arrive(call: Call, intercept: Intercept) -> None:
    asked = intercept("tuppence.tasks.pretrain", "run_pretraining")
    intercept("tuppence.tasks.pretrain", "held_out_text", "It was raining when\nthe bell rang.")
    recipe = ROOT / "configs" / "tiny.yaml"
    code, out, errors = call(*LINE, "--config", recipe, *RUN_FLAGS)
    assert (code, out) == (0, "")
    assert "next: tuppence generate run --prompt 'It was raining when'\n" in errors
    assert_run_flags_arrived(asked, Path("run"))
    assert asked["data"] == "data"
    keys = ["train.max_steps=7", "train.learning_rate=3e-4"]
    assert asked["config"] == load_config(PretrainRecipe, recipe, keys) != load_config(PretrainRecipe, overrides=keys)


def test_without_flags_the_recipe_is_the_default_and_json_is_all_that_is_printed(
    call: Call, intercept: Intercept
) -> None:
    asked = intercept("tuppence.tasks.pretrain", "run_pretraining")
    code, out, errors = call(*LINE, "--json")
    assert (code, json.loads(out), errors) == (0, SUMMARY, "")
    assert asked["config"] == PretrainRecipe()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (LINE[:3], "--out"),
        (["pretrain", "--out", "run"], "--data"),
        ([*LINE, "--max-minutes", "soon"], "--max-minutes"),
        ([*LINE, "--max-step", "3"], "--max-step"),
        ([*LINE, "--set", "train.max_steps"], "train.max_steps"),
        ([*LINE[:3], "--out", "gs://bucket/run"], "gs://bucket/run"),
    ],
)
def test_wrong_flags_give_an_error_of_two_lines(words: list[object], message: str, call: Call) -> None:
    assert_refused(call(*words), message)

"""How the flags of `finetune instruct` arrive in the task. Whole runs: tests/integration/test_instruct.py."""

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

from tuppence.core.config import load_config
from tuppence.tasks.instruct import InstructRecipe

LINE = ["finetune", "instruct", "--base", "base", "--data", "tasks.json", "--out", "run"]


def test_every_flag_arrives(call: Call, intercept: Intercept) -> None:
    asked = intercept("tuppence.tasks.instruct", "run_instruct")
    flags = ["--val", "val.json", "--lora", 8, "--epochs", 0.5, "--skip-bad-rows", *RUN_FLAGS]
    code, out, errors = call(*LINE, *flags)
    assert (code, out) == (0, "")
    assert errors.endswith("next: tuppence chat run\n")
    assert_run_flags_arrived(asked, Path("run"))
    assert (asked["base"], asked["data"], asked["val"]) == ("base", "tasks.json", "val.json")
    assert asked["skip_bad_rows"]
    keys = ["finetune.epochs=0.5", "lora.rank=8", "train.max_steps=7", "train.learning_rate=3e-4"]
    assert asked["config"] == load_config(InstructRecipe, overrides=keys)


def test_full_trains_all_weights_with_defaults_for_the_rest(call: Call, intercept: Intercept) -> None:
    asked = intercept("tuppence.tasks.instruct", "run_instruct")
    code, out, _ = call(*LINE, "--full", "--json")
    assert (code, json.loads(out)) == (0, SUMMARY)
    assert asked["config"] == load_config(InstructRecipe, overrides=["finetune.full=true"])
    assert (asked["val"], asked["skip_bad_rows"]) == (None, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (LINE[:4], "--data"),
        ([*LINE, "--lora", 0], "--lora"),
        ([*LINE, "--epochs", 0], "finetune.epochs"),
        ([*LINE, "--set", "lora.rnak=4"], "lora.rnak"),
    ],
)
def test_wrong_flags_give_an_error_of_two_lines(words: list[object], message: str, call: Call) -> None:
    assert_refused(call(*words), message)


def test_the_group_without_a_verb_shows_its_help(call: Call) -> None:
    code, _, errors = call("finetune")
    assert code == 2
    assert all(f"  {verb} " in errors for verb in ("classify", "instruct"))

"""How the flags of `align` arrive in its tasks. Whole runs: tests/integration/test_align.py and test_ppo.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
from tuppence.tasks.dpo import DPORecipe
from tuppence.tasks.ppo import PPORecipe
from tuppence.tasks.reward import RewardRecipe

TASKS: dict[str, tuple[str, str, Any]] = {
    "reward": ("tuppence.tasks.reward", "run_reward", RewardRecipe),
    "dpo": ("tuppence.tasks.dpo", "run_dpo", DPORecipe),
    "ppo": ("tuppence.tasks.ppo", "run_ppo", PPORecipe),
}


def line(verb: str, *more: object) -> list[object]:
    judge = ["--reward", "judge"] if verb == "ppo" else []
    return ["align", verb, "--base", "base", *judge, "--data", "pairs.json", "--out", "run", *more]


@pytest.mark.parametrize("verb", TASKS)
def test_every_flag_that_the_verbs_share_arrives(verb: str, call: Call, intercept: Intercept) -> None:
    module, name, config = TASKS[verb]
    asked = intercept(module, name)
    code, out, errors = call(
        *line(verb, "--val", "val.json", "--lora", 8, "--epochs", 0.5, "--skip-bad-rows", *RUN_FLAGS)
    )
    assert (code, out) == (0, "")
    assert errors.endswith("next: tuppence chat run\n" if verb != "reward" else "next: tuppence evaluate run\n")
    assert_run_flags_arrived(asked, Path("run"))
    assert (asked["base"], asked["data"], asked["val"]) == ("base", "pairs.json", "val.json")
    assert asked["skip_bad_rows"]
    keys = ["align.epochs=0.5", "lora.rank=8", "train.max_steps=7", "train.learning_rate=3e-4"]
    assert asked["config"] == load_config(config, overrides=keys)


@pytest.mark.parametrize(
    ("verb", "flags", "keys"),
    [
        ("reward", ["--full"], ["align.full=true"]),
        ("dpo", ["--beta", 0.3, "--label-smoothing", 0.1], ["align.beta=0.3", "align.label_smoothing=0.1"]),
        ("ppo", ["--kl-coefficient", 0, "--max-tokens", 9], ["align.kl_coefficient=0", "align.max_new_tokens=9"]),
    ],
)
def test_a_flag_of_one_verb_is_its_key_in_the_recipe_and_the_rest_are_defaults(
    verb: str, flags: list[object], keys: list[str], call: Call, intercept: Intercept
) -> None:
    module, name, config = TASKS[verb]
    asked = intercept(module, name)
    code, out, _ = call(*line(verb, *flags, "--json"))
    assert (code, json.loads(out)) == (0, SUMMARY)
    assert asked["config"] == load_config(config, overrides=keys)
    assert (asked["val"], asked["skip_bad_rows"]) == (None, False)
    assert asked.get("reward", "judge") == "judge"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["align", "dpo", "--base", "b", "--out", "run"], "--data"),
        (["align", "ppo", "--base", "b", "--data", "d", "--out", "run"], "--reward"),
        (line("reward", "--lora", 0), "--lora"),
        (line("reward", "--lora", 8, "--full"), "--full and --lora exclude each other"),
        (line("dpo", "--beta", "much"), "--beta"),
        (line("dpo", "--label-smoothing", 0.7), "align.label_smoothing"),
        (line("ppo", "--max-tokens", 0), "--max-tokens"),
        (line("ppo", "--kl-coefficient", -1), "align.kl_coefficient"),
        (line("dpo", "--epochs", 0), "align.epochs"),
    ],
)
def test_wrong_flags_give_an_error_of_two_lines(words: list[object], message: str, call: Call) -> None:
    assert_refused(call(*words), message)


def test_the_group_without_a_verb_shows_its_help(call: Call) -> None:
    code, _, errors = call("align")
    assert code == 2
    assert all(f"  {verb} " in errors for verb in TASKS)

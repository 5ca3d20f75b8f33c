"""The flags of `quickstart`. Whole runs are in tests/quickstart/test_life.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Call, Intercept, assert_refused

from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.quickstart.plan import Plan

RESULTS = {"out": "x", "pretrain": {"sample": "One morning it rained."}, "seconds": 1.5}


def test_every_flag_is_a_part_of_the_plan(call: Call, intercept: Intercept) -> None:
    asked = intercept("tuppence.quickstart.life", "quickstart", RESULTS)
    flags = ["--out", "x", "--minutes", 3.5, "--stories", 500, "--rows", 200, "--max-steps", 7, "--rate", 0.7364]
    code, out, errors = call("quickstart", *flags, "--skip", "spam", "--skip", "dpo", "--json")
    assert (code, json.loads(out), errors) == (0, RESULTS, "")
    rate = Rate(0.7364, "given by --rate")
    assert asked["plan"] == Plan(Path("x"), 3.5, 500, 200, 7, rate, frozenset({"spam", "dpo"}))


def test_without_flags_the_plan_is_the_default_and_the_story_is_printed(call: Call, intercept: Intercept) -> None:
    asked = intercept("tuppence.quickstart.life", "quickstart", RESULTS)
    assert call("quickstart") == (0, "One morning it rained.\n", "")
    assert asked["plan"] == Plan(Path("runs/quickstart"))


def test_without_a_model_there_is_no_story_to_print(call: Call, intercept: Intercept) -> None:
    intercept("tuppence.quickstart.life", "quickstart", {"out": "x", "seconds": 0})
    assert call("quickstart", "--skip", "pretrain") == (0, "", "")


def test_the_help_names_every_stage_in_order(call: Call) -> None:
    code, out, _ = call("quickstart", "--help")
    assert code == 0
    assert ", ".join(STAGES) in " ".join(out.split())


@pytest.mark.parametrize("flags", [("--minutes", 0), ("--stories", 99), ("--rows", 99), ("--max-steps", 0)])
def test_wrong_flags_are_refused_before_anything_is_done(
    flags: tuple[str, int], call: Call, intercept: Intercept
) -> None:
    asked = intercept("tuppence.quickstart.life", "quickstart", RESULTS)
    assert_refused(call("quickstart", *flags), flags[0])
    assert asked == {}

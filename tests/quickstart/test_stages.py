"""The stages of the quickstart, and their commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuppence.cli import main
from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.quickstart.plan import FULL, RESULTS, Plan, Share
from tuppence.quickstart.stages import list_stages


def test_every_stage_has_a_result_and_comes_after_what_it_needs() -> None:
    assert [stage.name for stage in list_stages(Plan(Path("x")), FULL)] == list(STAGES) == list(RESULTS)
    before: set[str] = set()
    for name, needs in STAGES.items():
        assert set(needs) <= before
        before.add(name)


def test_every_flag_of_a_printed_command_exists(capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan(Path("x"), rate=Rate(1.0, "a test"))
    for stage in list_stages(plan, {**FULL, "pretrain": Share(None, 2.0), "dpo": Share(2, 0.5)}):
        for line in stage.command.split("\n"):
            words = line.split()[1:]
            verb = words[: 2 if words[0] in ("data", "tokenizer", "finetune", "align") else 1]
            with pytest.raises(SystemExit) as left:
                main([*verb, "--help"])
            assert left.value.code == 0
            shown = capsys.readouterr().out
            flags = set(re.findall(r" (--[a-z-]+)", line))
            assert flags <= set(re.findall(r"--[a-z-]+", shown)), line


def test_a_training_stage_has_a_run_and_prints_the_limits_of_its_share() -> None:
    plan = Plan(Path("x"), rows=77)
    limits = {
        name: Share(number, 3.0 + number) for number, name in enumerate(("pretrain", "spam", "instruct", "dpo"), 2)
    }
    stages = {stage.name: stage for stage in list_stages(plan, {**FULL, **limits, "stories": Share(123)})}
    assert {name for name, stage in stages.items() if stage.run} == set(limits)
    assert " --count 123 " in stages["stories"].command
    for name, share in limits.items():
        assert stages[name].run == Path("x") / name
        assert f" --max-steps {share.amount} --max-minutes {share.minutes:g} --out x/{name}" in stages[name].command
        assert (" --count 77 " in stages[name].command) == (name != "pretrain")


def test_a_stage_of_half_the_size_makes_half_the_rows() -> None:
    half = {**FULL, "spam": Share(FULL["spam"].amount // 2)}  # type: ignore[operator]
    commands = {stage.name: stage.command for stage in list_stages(Plan(Path("x")), half)}
    assert "synth sms --count 4000 " in commands["spam"]
    assert "synth instructions --count 20000 " in commands["instruct"]


def test_models_that_are_left_out_are_not_evaluated() -> None:
    plan = Plan(Path("x"))
    left_out = plan.without({"instruct": "no time"})
    assert left_out == {"instruct": "no time", "dpo": "skipped: it needs instruct, which is skipped"}
    evaluate = next(stage for stage in list_stages(plan, FULL, left_out) if stage.name == "evaluate")
    assert "x/pretrain" in evaluate.command
    assert "x/instruct" not in evaluate.command

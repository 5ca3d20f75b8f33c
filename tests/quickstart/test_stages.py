from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuppence.cli import main
from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.quickstart.plan import CAPS, RESULTS, Plan
from tuppence.quickstart.stages import list_stages


def test_every_stage_has_a_result_and_a_place_in_order() -> None:
    assert [stage.name for stage in list_stages(Plan(Path("x")))] == list(STAGES) == list(RESULTS)
    before: set[str] = set()
    for name, needs in STAGES.items():
        assert set(needs) <= before
        before.add(name)


def test_every_flag_of_a_printed_command_is_one_that_the_verb_has(capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan(Path("x"), max_steps=2, rate=Rate(1.0, "a test"))
    for stage in list_stages(plan):
        for line in stage.command.split("\n"):
            words = line.split()[1:]
            verb = words[: 2 if words[0] in ("data", "tokenizer", "finetune", "align") else 1]
            with pytest.raises(SystemExit) as left:
                main([*verb, "--help"])
            assert left.value.code == 0
            shown = capsys.readouterr().out
            flags = set(re.findall(r" (--[a-z-]+)", line))
            assert flags <= set(re.findall(r"--[a-z-]+", shown)), line


def test_a_stage_that_trains_names_the_run_that_it_makes_and_its_limits_are_the_plan_s() -> None:
    plan = Plan(Path("x"), minutes=3.0, stories=123, rows=77, max_steps=2)
    stages = {stage.name: stage for stage in list_stages(plan)}
    assert {name for name, stage in stages.items() if stage.run} == {"pretrain", "spam", "instruct", "dpo"}
    assert " --count 123 " in stages["stories"].command
    for name, minutes in {"pretrain": 3.0, **CAPS}.items():
        assert stages[name].run == Path("x") / name
        assert f" --max-steps 2 --max-minutes {minutes:g} --out x/{name}" in stages[name].command
        assert (" --count 77 " in stages[name].command) == (name != "pretrain")


def test_data_that_stand_are_made_again_to_the_byte_and_a_tokenizer_that_stands_is_kept(tmp_path: Path) -> None:
    plan = Plan(tmp_path, stories=150)
    stories, tokenizer, data = list_stages(plan)[:3]
    first = stories.do()
    text = plan.place("stories.txt").read_bytes()
    assert first["bytes"] == len(text)
    assert text.decode().startswith(first["sample"])
    assert stories.do() == first
    assert plan.place("stories.txt").read_bytes() == text
    learned = tokenizer.do()
    assert "".join(learned["pieces"]) == "The lighthouse keeper whispered."
    before = plan.place("tokenizer/tokenizer.json").stat().st_mtime_ns
    assert tokenizer.do() == learned
    assert plan.place("tokenizer/tokenizer.json").stat().st_mtime_ns == before
    tokens = data.do()
    assert 0 < tokens["val"] < 0.1 * tokens["train"]
    assert all(plan.stands(stage.name) for stage in (stories, tokenizer, data))


def test_the_whole_stays_below_six_minutes_on_two_cores() -> None:
    plan = Plan(Path("x"))
    capped = {**CAPS, "pretrain": plan.minutes}
    assert sum(max(stage.seconds, 60 * capped.get(stage.name, 0)) for stage in list_stages(plan)) < 6 * 60

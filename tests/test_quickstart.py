"""The quickstart lives a whole life, goes on where it was stopped, and its recipes are those in configs/."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.conftest import ROOT
from tuppence.cli import main
from tuppence.cli.quickstart import quickstart as verb
from tuppence.core.config import load_config
from tuppence.core.errors import InputError
from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.quickstart.life import quickstart
from tuppence.quickstart.plan import RESULTS, Plan
from tuppence.quickstart.recipes import DPO, INSTRUCT, PRETRAIN, SPAM
from tuppence.quickstart.stages import list_stages
from tuppence.tasks.pretrain import PretrainConfig

TINY: dict[str, Any] = {"stories": 300, "rows": 200, "max_steps": 2}


@pytest.mark.parametrize(
    ("recipe", "file"),
    [
        (PRETRAIN, "quickstart.yaml"),
        (SPAM, "quickstart-spam.yaml"),
        (INSTRUCT, "quickstart-instruct.yaml"),
        (DPO, "quickstart-dpo.yaml"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recipe_equals_the_one_in_configs_that_the_printed_command_names(recipe: BaseModel, file: str) -> None:
    assert load_config(type(recipe), ROOT / "configs" / file) == recipe
    assert any(f"--config configs/{file} " in stage.command for stage in list_stages(Plan(Path("x"))))


@pytest.mark.parametrize(
    "recipe",
    [path for path in sorted((ROOT / "configs").glob("*.yaml")) if not path.stem.startswith("quickstart-")],
    ids=lambda path: path.stem,
)
def test_every_recipe_of_pretraining_is_valid(recipe: Path) -> None:
    load_config(PretrainConfig, recipe).model.resolve(512)


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


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, dict[str, Any]]:
    """A whole life of two steps a stage."""
    plan = Plan(tmp_path_factory.mktemp("life") / "quickstart", **TINY)
    return plan, quickstart(plan)


def test_every_stage_leaves_its_result_and_its_numbers(lived: tuple[Plan, dict[str, Any]]) -> None:
    plan, results = lived
    assert list(STAGES) == [name for name in results if name in STAGES]
    assert all(plan.stands(name) for name in STAGES)
    assert all(results[name]["result"]["steps"] == 2 for name in ("pretrain", "spam", "instruct", "dpo"))
    assert results["evaluate"]["runs"]["pretrain"]["perplexity"]["perplexity"] > 1
    assert results["spam"]["evaluation"]["classification"]["baselines"]


def test_all_language_models_are_asked_the_same_held_out_tasks(lived: tuple[Plan, dict[str, Any]]) -> None:
    plan, results = lived
    found = results["evaluate"]
    asked = {one["exact_match"]["data_sha256"] for one in found["runs"].values()}
    assert list(found["runs"]) == ["pretrain", "instruct", "dpo"]
    assert len(asked) == 1
    rows = sum(kind["rows"] for kind in found["kinds"].values())
    assert rows == found["runs"]["dpo"]["exact_match"]["rows"]
    assert "other" not in found["kinds"]
    trained = {row["instruction"] for row in json.loads((plan.root / "instructions.json").read_text())}
    assert all(row["prompt"].split("\n\n")[0] in trained for row in found["answers"])  # they are from this file


def test_the_share_of_all_kinds_together_is_the_exact_match(lived: tuple[Plan, dict[str, Any]]) -> None:
    found = lived[1]["evaluate"]
    for run, numbers in found["runs"].items():
        right = sum(kind["rows"] * kind["right"][run] for kind in found["kinds"].values())
        assert right / numbers["exact_match"]["rows"] == pytest.approx(numbers["exact_match"]["accuracy"])


def test_the_same_again_has_nothing_left_to_do(
    lived: tuple[Plan, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    plan, results = lived
    started = time.monotonic()
    again = quickstart(plan)
    assert time.monotonic() - started < 5
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(results))


def test_what_is_missing_is_made_again_and_only_that(lived: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = lived
    before = (plan.root / "dpo" / "ledger.jsonl").read_bytes()
    (plan.root / "report.html").unlink()
    quickstart(plan)
    assert (plan.root / "report.html").is_file()
    assert (plan.root / "dpo" / "ledger.jsonl").read_bytes() == before


def test_other_data_in_the_same_folder_are_refused_before_anything_is_written(
    lived: tuple[Plan, dict[str, Any]],
) -> None:
    plan, _ = lived
    before = (plan.root / "stories.txt").read_bytes()
    with pytest.raises(InputError, match="was begun with 'tuppence data synth stories --count 300"):
        quickstart(Plan(plan.root, **{**TINY, "stories": 400}))
    with pytest.raises(InputError, match="was begun with 'tuppence data synth sms --count 200"):
        quickstart(Plan(plan.root, **{**TINY, "rows": 250}))
    assert (plan.root / "stories.txt").read_bytes() == before


def test_the_page_tells_every_stage(lived: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = lived
    page = (plan.root / "report.html").read_text(encoding="utf-8")
    for stage in list_stages(plan)[:-1]:
        for line in stage.command.split("\n"):
            assert line.split(" --prompt")[0] in page
    for run in ("pretrain", "spam", "instruct", "dpo"):
        assert f'href="{run}/report.html"' in page
        assert (plan.root / run / "report.html").is_file()


def test_a_skipped_stage_takes_along_what_needs_it(tmp_path: Path) -> None:
    plan = Plan(tmp_path, **TINY, skip=frozenset({"pretrain"}))
    results = quickstart(plan)
    assert set(results) & set(STAGES) == {"stories", "tokenizer", "data"}
    assert plan.left_out["dpo"] == "skipped: it needs instruct, which is skipped"
    assert not (tmp_path / "instructions.json").exists()


def test_a_skipped_stage_whose_result_stands_takes_along_nothing(lived: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = lived
    assert list(Plan(plan.root, skip=frozenset({"instruct"})).left_out) == ["instruct"]
    assert list(Plan(Path("nowhere"), skip=frozenset({"instruct"})).left_out) == ["instruct", "dpo"]


def test_an_unknown_stage_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stage 'insruct'") as error:
        quickstart(Plan(tmp_path, skip=frozenset({"insruct"})))
    assert "instruct" in str(error.value.hint)


def test_the_help_names_every_stage_and_the_defaults_are_the_plan_s() -> None:
    import inspect

    defaults = {name: one.default for name, one in inspect.signature(verb).parameters.items()}
    plan = Plan(Path("x"))
    assert (defaults["minutes"], defaults["stories"]) == (plan.minutes, plan.stories)


def test_killed_it_goes_on_through_the_command_line(tuppence: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "quickstart"
    words = ["quickstart", "--out", str(out), "--stories", "300", "--rows", "200", "--max-steps", "2", "--json"]
    words += ["--skip", "spam", "--skip", "dpo", "--rate", "3.6"]
    first = subprocess.Popen(
        [sys.executable, "-m", "tuppence", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (out / "pretrain" / "run.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not (out / "pretrain" / "model").exists()
    again = tuppence(*words)
    assert again.returncode == 0, again.stderr
    assert "stands already" in again.stderr
    results = json.loads(again.stdout)
    assert results["pretrain"]["result"]["attempts"] == 2
    assert set(results) & set(STAGES) == set(STAGES) - {"spam", "dpo"}
    stages = json.loads((out / "story.json").read_text())["stages"]
    assert stages["stories"]["dollars"] == pytest.approx(stages["stories"]["seconds"] / 1000, abs=1e-4)

"""The quickstart lives a whole life, goes on where it was stopped, and passes over what stands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.ledger import KILLED_SECONDS, Rate
from tuppence.quickstart import STAGES, life
from tuppence.quickstart.life import quickstart
from tuppence.quickstart.pace import REFERENCE_STEP_SECONDS, WORK
from tuppence.quickstart.plan import RESULTS, Plan, Share
from tuppence.quickstart.stages import Shares, Stage

TINY: dict[str, Any] = {"stories": 300, "rows": 200, "max_steps": 2}


class Pretended:
    """Stages that leave their results at once and cost nothing; the names of those that were done, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.failing = ""
        self.step_seconds = REFERENCE_STEP_SECONDS
        monkeypatch.setattr(life, "list_stages", self.list)
        monkeypatch.setattr(life, "seconds_of_a_step", lambda: self.step_seconds)

    def list(self, plan: Plan, shares: Shares, left_out: Mapping[str, str]) -> list[Stage]:
        self.shares = dict(shares)

        def do(name: str) -> dict[str, Any]:
            if name == self.failing:
                raise InputError("no", "luck")
            self.done.append(name)
            place = plan.root / RESULTS[name]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("")
            return {"sample": name}

        return [
            Stage(
                name, name, f"tuppence {name}", lambda name=name: do(name),
                plan.root / name if name == "pretrain" else None,
            )
            for name in STAGES
        ]  # fmt: skip


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    return Pretended(monkeypatch)


@pytest.mark.parametrize(
    ("changed", "anew"),
    [
        ("report", ["report"]),
        ("spam", ["spam", "evaluate", "report"]),
        ("instruct", ["instruct", "dpo", "evaluate", "report"]),
        ("data", [name for name in STAGES if name not in ("stories", "tokenizer")]),
    ],
)
def test_what_needs_a_stage_that_is_done_anew_is_done_anew_and_nothing_else(
    pretended: Pretended, tmp_path: Path, changed: str, anew: list[str]
) -> None:
    quickstart(Plan(tmp_path))
    assert pretended.done == list(STAGES)
    pretended.done.clear()
    (tmp_path / RESULTS[changed]).unlink()
    quickstart(Plan(tmp_path))
    assert pretended.done == anew


def test_a_skipped_stage_takes_along_what_needs_it(pretended: Pretended, tmp_path: Path) -> None:
    results = quickstart(Plan(tmp_path, skip=frozenset({"pretrain"})))
    assert pretended.done == ["stories", "tokenizer", "data"]
    assert results.keys() & STAGES.keys() == set(pretended.done)


def test_the_record_is_written_after_every_stage(pretended: Pretended, tmp_path: Path) -> None:
    pretended.failing = "spam"
    with pytest.raises(InputError, match="no"):
        quickstart(Plan(tmp_path))
    kept = json.loads((tmp_path / "story.json").read_text())["stages"]
    assert list(kept) == pretended.done == ["stories", "tokenizer", "data", "pretrain"]
    assert kept["data"]["numbers"] == {"sample": "data"}
    pretended.failing = ""
    pretended.done.clear()
    quickstart(Plan(tmp_path))
    assert pretended.done == ["spam", "instruct", "dpo", "evaluate", "report"]


def test_attempts_that_were_killed_count_and_are_paid_for(
    pretended: Pretended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pretrain").mkdir()
    rows = [
        {"attempt": attempt, "event": event, "seconds": seconds, "dollars": 0.0, "rate_usd_per_hour": 3.6}
        for attempt, event, seconds in ((1, "tick", 100.0), (1, "tick", 500.0), (2, "end", 300.0))
    ]
    (tmp_path / "pretrain" / "ledger.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = quickstart(Plan(tmp_path, rate=Rate(3.6, "a test")))
    kept = json.loads((tmp_path / "story.json").read_text())["stages"]
    spent = 500 + KILLED_SECONDS + 300  # a killed attempt may have gone on for a tick
    assert (kept["pretrain"]["seconds"], kept["pretrain"]["dollars"]) == (spent, spent / 1000)
    assert results["seconds"] == pytest.approx(spent, abs=1)
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"about [45] min \d+ s on this machine, \$0\.[23]\d* at \$3\.60 an hour", said)
    assert re.search(r"the whole took 13 min \d+ s, \$0\.8\d* at \$3\.60 an hour", said)


def test_a_stage_whose_wish_has_changed_is_done_anew(pretended: Pretended, tmp_path: Path) -> None:
    quickstart(Plan(tmp_path))
    pretended.done.clear()
    quickstart(Plan(tmp_path, minutes=3.0))
    assert pretended.done == [name for name in STAGES if name not in ("stories", "tokenizer", "data")]
    assert pretended.shares["pretrain"] == Share(None, 3.0)


def test_a_record_of_an_earlier_version_still_stands(pretended: Pretended, tmp_path: Path) -> None:
    quickstart(Plan(tmp_path))
    record = json.loads((tmp_path / "story.json").read_text())
    for stage in record["stages"].values():
        del stage["wish"]
    (tmp_path / "story.json").write_text(json.dumps({"version": 1, "stages": record["stages"]}))
    pretended.done.clear()
    quickstart(Plan(tmp_path))
    assert pretended.done == []


def test_on_a_slow_machine_stages_are_smaller_and_it_says_so(
    pretended: Pretended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretended.step_seconds *= 4.0
    quickstart(Plan(tmp_path))
    assert pretended.done == list(STAGES)
    for name, work in WORK.items():
        amount = pretended.shares[name].amount
        assert amount is not None
        assert work.least <= amount <= work.most
    assert all(pretended.shares[name].amount != WORK[name].most for name in ("stories", "tokenizer", "pretrain"))
    said = " ".join(capsys.readouterr().err.split())
    assert "4.0 times slower than a quiet one with two cores; stages are shorter" in said


def test_what_does_not_fit_is_left_out_and_named_and_done_when_there_is_time(
    pretended: Pretended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretended.step_seconds *= 40.0
    results = quickstart(Plan(tmp_path))
    assert pretended.done == [name for name in STAGES if name not in ("spam", "instruct", "dpo")]
    assert list(results["left_out"]) == ["spam", "instruct", "dpo"]
    assert "not done: spam, instruct, dpo" in capsys.readouterr().err
    pretended.done.clear()
    pretended.step_seconds = REFERENCE_STEP_SECONDS
    again = quickstart(Plan(tmp_path))
    assert pretended.done == ["spam", "instruct", "dpo", "evaluate", "report"]
    assert "left_out" not in again


def test_a_stage_that_was_begun_goes_on_in_the_size_it_was_begun_in(pretended: Pretended, tmp_path: Path) -> None:
    pretended.step_seconds *= 4.0
    pretended.failing = "instruct"
    with pytest.raises(InputError, match="no"):
        quickstart(Plan(tmp_path))
    begun = pretended.shares["instruct"]
    pretended.failing, pretended.step_seconds = "", REFERENCE_STEP_SECONDS
    quickstart(Plan(tmp_path))
    assert pretended.shares["instruct"] == begun
    assert pretended.shares["dpo"].amount == WORK["dpo"].most


def test_an_unknown_stage_is_refused_with_the_nearest_name(pretended: Pretended, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stage 'insruct'") as error:
        quickstart(Plan(tmp_path, skip=frozenset({"insruct"})))
    assert error.value.hint == "did you mean instruct?"
    assert pretended.done == []


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
    for stage in json.loads((plan.root / "story.json").read_text())["stages"].values():
        if stage["command"] != f"tuppence report {plan.root}":
            for line in stage["command"].split("\n"):
                assert line.split(" --prompt")[0] in page
    for run in ("pretrain", "spam", "instruct", "dpo"):
        assert f'href="{run}/report.html"' in page
        assert (plan.root / run / "report.html").is_file()


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

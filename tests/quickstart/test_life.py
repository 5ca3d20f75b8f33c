"""The quickstart does every stage, continues where it was stopped, and skips what is done."""

from __future__ import annotations

import json
import re
import signal
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


class FakeStages:
    """Stages that write their results at once and do nothing else; `done` has their names in order."""

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
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeStages:
    return FakeStages(monkeypatch)


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("report", ["report"]),
        ("spam", ["spam", "evaluate", "report"]),
        ("instruct", ["instruct", "dpo", "evaluate", "report"]),
        ("data", [name for name in STAGES if name not in ("stories", "tokenizer")]),
    ],
)
def test_only_the_stages_that_need_a_repeated_stage_are_repeated(
    fake: FakeStages, tmp_path: Path, changed: str, again: list[str]
) -> None:
    quickstart(Plan(tmp_path))
    assert fake.done == list(STAGES)
    fake.done.clear()
    (tmp_path / RESULTS[changed]).unlink()
    quickstart(Plan(tmp_path))
    assert fake.done == again


def test_stages_that_need_a_skipped_one_are_skipped(fake: FakeStages, tmp_path: Path) -> None:
    results = quickstart(Plan(tmp_path, skip=frozenset({"pretrain"})))
    assert fake.done == ["stories", "tokenizer", "data"]
    assert results.keys() & STAGES.keys() == set(fake.done)


def test_the_state_is_written_after_every_stage(fake: FakeStages, tmp_path: Path) -> None:
    fake.failing = "spam"
    with pytest.raises(InputError, match="no"):
        quickstart(Plan(tmp_path))
    kept = json.loads((tmp_path / "story.json").read_text())["stages"]
    assert list(kept) == fake.done == ["stories", "tokenizer", "data", "pretrain"]
    assert kept["data"]["numbers"] == {"sample": "data"}
    fake.failing = ""
    fake.done.clear()
    quickstart(Plan(tmp_path))
    assert fake.done == ["spam", "instruct", "dpo", "evaluate", "report"]


def test_killed_attempts_are_counted_and_paid_for(
    fake: FakeStages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    assert re.search(r"total time 13 min \d+ s, \$0\.8\d* at \$3\.60 an hour", said)


def test_a_stage_with_other_choices_of_the_user_is_repeated(fake: FakeStages, tmp_path: Path) -> None:
    quickstart(Plan(tmp_path))
    fake.done.clear()
    quickstart(Plan(tmp_path, minutes=3.0))
    assert fake.done == [name for name in STAGES if name not in ("stories", "tokenizer", "data")]
    assert fake.shares["pretrain"] == Share(None, 3.0)


def test_a_state_of_an_earlier_version_is_valid(fake: FakeStages, tmp_path: Path) -> None:
    quickstart(Plan(tmp_path))
    state = json.loads((tmp_path / "story.json").read_text())
    for stage in state["stages"].values():
        del stage["wish"]
    (tmp_path / "story.json").write_text(json.dumps({"version": 1, "stages": state["stages"]}))
    fake.done.clear()
    quickstart(Plan(tmp_path))
    assert fake.done == []


def test_on_a_slow_machine_stages_are_smaller_and_the_user_is_told(
    fake: FakeStages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.step_seconds *= 4.0
    quickstart(Plan(tmp_path))
    assert fake.done == list(STAGES)
    for name, work in WORK.items():
        amount = fake.shares[name].amount
        assert amount is not None
        assert work.least <= amount <= work.most
    assert all(fake.shares[name].amount != WORK[name].most for name in ("stories", "tokenizer", "pretrain"))
    said = " ".join(capsys.readouterr().err.split())
    assert "4.0 times slower than a quiet one with two cores; stages are shorter" in said


def test_a_stage_without_time_is_left_out_named_and_done_later(
    fake: FakeStages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.step_seconds *= 40.0
    results = quickstart(Plan(tmp_path))
    assert fake.done == [name for name in STAGES if name not in ("spam", "instruct", "dpo")]
    assert list(results["left_out"]) == ["spam", "instruct", "dpo"]
    assert "not done: spam, instruct, dpo" in capsys.readouterr().err
    fake.done.clear()
    fake.step_seconds = REFERENCE_STEP_SECONDS
    again = quickstart(Plan(tmp_path))
    assert fake.done == ["spam", "instruct", "dpo", "evaluate", "report"]
    assert "left_out" not in again


def test_a_stage_that_was_begun_keeps_its_size(fake: FakeStages, tmp_path: Path) -> None:
    fake.step_seconds *= 4.0
    fake.failing = "instruct"
    with pytest.raises(InputError, match="no"):
        quickstart(Plan(tmp_path))
    begun = fake.shares["instruct"]
    fake.failing, fake.step_seconds = "", REFERENCE_STEP_SECONDS
    quickstart(Plan(tmp_path))
    assert fake.shares["instruct"] == begun
    assert fake.shares["dpo"].amount == WORK["dpo"].most


def test_an_unknown_stage_is_refused_with_the_nearest_name(fake: FakeStages, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stage 'insruct'") as error:
        quickstart(Plan(tmp_path, skip=frozenset({"insruct"})))
    assert error.value.hint == "did you mean instruct?"
    assert fake.done == []


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, dict[str, Any]]:
    """A quickstart with two steps in each training stage."""
    plan = Plan(tmp_path_factory.mktemp("life") / "quickstart", **TINY)
    return plan, quickstart(plan)


def test_every_stage_has_a_result_and_numbers(finished: tuple[Plan, dict[str, Any]]) -> None:
    plan, results = finished
    assert list(STAGES) == [name for name in results if name in STAGES]
    assert all(plan.is_done(name) for name in STAGES)
    assert all(results[name]["result"]["steps"] == 2 for name in ("pretrain", "spam", "instruct", "dpo"))
    assert results["evaluate"]["runs"]["pretrain"]["perplexity"]["perplexity"] > 1
    assert results["spam"]["evaluation"]["classification"]["baselines"]


def test_the_same_command_again_changes_nothing(
    finished: tuple[Plan, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    plan, results = finished
    started = time.monotonic()
    again = quickstart(plan)
    assert time.monotonic() - started < 5
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(results))


def test_only_a_missing_result_is_made_again(finished: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = finished
    before = (plan.root / "dpo" / "ledger.jsonl").read_bytes()
    (plan.root / "report.html").unlink()
    quickstart(plan)
    assert (plan.root / "report.html").is_file()
    assert (plan.root / "dpo" / "ledger.jsonl").read_bytes() == before


def test_other_data_in_the_same_folder_are_refused_before_anything_is_written(
    finished: tuple[Plan, dict[str, Any]],
) -> None:
    plan, _ = finished
    before = (plan.root / "stories.txt").read_bytes()
    with pytest.raises(InputError, match="was begun with 'tuppence data synth stories --count 300"):
        quickstart(Plan(plan.root, **{**TINY, "stories": 400}))
    with pytest.raises(InputError, match="was begun with 'tuppence data synth sms --count 200"):
        quickstart(Plan(plan.root, **{**TINY, "rows": 250}))
    assert (plan.root / "stories.txt").read_bytes() == before


def test_the_page_has_the_command_of_every_stage_and_links_every_run(finished: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = finished
    page = (plan.root / "report.html").read_text(encoding="utf-8")
    for stage in json.loads((plan.root / "story.json").read_text())["stages"].values():
        if stage["command"] != f"tuppence report {plan.root}":
            for line in stage["command"].split("\n"):
                assert line.split(" --prompt")[0] in page
    for run in ("pretrain", "spam", "instruct", "dpo"):
        assert f'href="{run}/report.html"' in page
        assert (plan.root / run / "report.html").is_file()


def test_a_killed_quickstart_continues_through_the_command_line(
    tuppence: Callable[..., Any], start_tuppence: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "quickstart"
    words = ["quickstart", "--out", str(out), "--stories", "300", "--rows", "200", "--max-steps", "2", "--json"]
    words += ["--skip", "spam", "--skip", "dpo", "--rate", "3.6"]
    first = start_tuppence(*words)
    deadline = time.monotonic() + 120
    while not (out / "pretrain" / "run.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (out / "pretrain" / "model").exists()
    again = tuppence(*words)
    assert again.returncode == 0, again.stderr
    assert "already done" in again.stderr
    results = json.loads(again.stdout)
    assert results["pretrain"]["result"]["attempts"] == 2
    assert set(results) & set(STAGES) == set(STAGES) - {"spam", "dpo"}
    stages = json.loads((out / "story.json").read_text())["stages"]
    assert stages["stories"]["dollars"] == pytest.approx(stages["stories"]["seconds"] / 1000, abs=1e-4)

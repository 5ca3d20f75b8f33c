from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.cli.conftest import Call, assert_refused

from tuppence.aws import launch, resume, summary
from tuppence.cli import aws, aws_launch
from tuppence.core import console

LINE = ("pretrain", "--data", "DATA", "--out", "runs/tiny", "--max-steps", "3")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Keeps what `launch` is asked for; every job can be started, none is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DATA").mkdir()
    found: dict[str, Any] = {"started": []}

    def prepare(line: Any, wish: Any, workplace: Path) -> Any:
        found.update(line=line, wish=wish)
        return SimpleNamespace(missing_bytes=0, plan=SimpleNamespace(region="us-east-1"))

    def submit(prepared: Any, on_bytes: Any) -> str:
        found["started"].append(prepared)
        return "tuppence-1"

    monkeypatch.setattr(launch, "prepare", prepare)
    monkeypatch.setattr(launch, "submit", submit)
    monkeypatch.setattr(summary, "summary_text", lambda prepared: "the plan")
    monkeypatch.setattr(summary, "summary_dict", lambda prepared: {"job": "tuppence-1"})
    return found


def test_flags_before_the_verb_are_those_of_the_job(asked: dict[str, Any], call: Call) -> None:
    flags = ["--spot", "--budget", "5", "--instance", "ml.g5.xlarge", "--max-hours", "2", "--count", "2", "--yes"]
    code, out, errors = call("aws", "launch", *flags, *LINE)
    assert (code, out) == (0, "tuppence-1\n")
    assert "the plan" in errors
    wish = asked["wish"]
    assert (wish.spot, wish.budget_usd, wish.instances, wish.max_hours, wish.count) == (
        *(True, 5.0, ("ml.g5.xlarge",), 2.0, 2),
    )
    assert asked["line"].words == LINE[1:]


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_dry_run_starts_nothing(asked: dict[str, Any], call: Call, flags: list[str]) -> None:
    code, out, _ = call("aws", "launch", "--budget", "5", "--dry-run", *flags, *LINE)
    assert (code, asked["started"]) == (0, [])
    assert out == ("" if not flags else json.dumps({"job": "tuppence-1"}, indent=2) + "\n")


@pytest.mark.parametrize("agreed", [True, False])
def test_a_job_is_started_after_a_yes_alone(
    asked: dict[str, Any], call: Call, agreed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "confirm", lambda question: agreed)
    code, _, _ = call("aws", "launch", "--budget", "5", *LINE)
    assert (code, len(asked["started"])) == ((0, 1) if agreed else (130, 0))


def test_nobody_to_ask_starts_nothing(asked: dict[str, Any], call: Call) -> None:
    code, _, errors = call("aws", "launch", "--budget", "5", *LINE, stdin="y\n")
    assert (code, asked["started"]) == (2, [])
    assert "--yes" in errors


def test_an_interruption_is_for_rehearsals(asked: dict[str, Any], call: Call) -> None:
    assert_refused(call("aws", "launch", "--spot", "--interrupt", "3", *LINE), "--interrupt is for a rehearsal")


def test_a_rehearsal_uses_its_own_bucket_and_waits(
    asked: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def reaching(rehearse: bool, interruptions: Sequence[float] = ()) -> Iterator[Any]:
        asked["interruptions"] = (rehearse, interruptions)
        yield SimpleNamespace(bucket="b", role_arn="r", region="us-east-1")

    followed: list[str] = []
    ended = SimpleNamespace(status="Failed", as_dict=lambda: {"status": "Failed"})
    monkeypatch.setattr(aws_launch, "reaching", reaching)
    monkeypatch.setattr(aws_launch, "_follow", lambda name, region: followed.append(name) or ended)
    code, out, _ = call("aws", "launch", "--rehearse", "--spot", "--interrupt", 3, "--yes", "--json", *LINE)
    assert (code, followed, asked["interruptions"]) == (1, ["tuppence-1"], (True, [3.0]))
    assert json.loads(out) == {"job": "tuppence-1", "status": "Failed"}
    assert (asked["wish"].bucket, asked["wish"].role_arn, asked["wish"].with_wheels) == ("b", "r", False)


def test_aws_itself_is_reached_without_a_rehearsal() -> None:
    with aws.reaching(False) as account:
        assert account is None


def test_resume_starts_after_a_yes_alone(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    plan = SimpleNamespace(
        name="tuppence-2", order=SimpleNamespace(output="s3://b/run"), region="us-east-1", worst_case_usd=3.0
    )
    prepared = SimpleNamespace(
        cap_usd=5.0, spent_usd=2.0, plan=plan, start=lambda: started.append("x") or "tuppence-2", as_dict=dict
    )
    monkeypatch.setattr("tuppence.aws.jobs.describe", lambda job, region: job)
    monkeypatch.setattr(resume, "prepare_resumption", lambda job, **more: prepared)
    for arguments, count in ((["--dry-run"], 0), (["--yes"], 1)):
        _, out, errors = call("aws", "resume", "tuppence-1", *arguments)
        assert len(started) == count
        assert "with $3.00 of $5.00" in errors
        assert out == ("tuppence-2\n" if count else "")

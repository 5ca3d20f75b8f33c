from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from tests.cli.conftest import Call, assert_refused

from tuppence.aws import preparation

LINE = ("s3://b/texts", "--tokenizer", "s3://b/tok", "--out", "s3://b/data", "--seed", "3")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Keeps what is asked for; every job can be started, and ends as `status` says."""
    found: dict[str, Any] = {"started": 0, "status": "Completed"}

    def plan_preparation(line: Any, wish: Any, workplace: Any) -> Any:
        found.update(line=line, wish=wish)
        return SimpleNamespace(missing_bytes=0, plan=None)

    def submit(prepared: Any, on_bytes: Any) -> str:
        found["started"] += 1
        return "tuppence-1"

    ended = lambda plan, on_line: preparation.Ended(found["status"], "no text", 60.0, 0.01)  # noqa: E731
    monkeypatch.setattr(preparation, "plan_preparation", plan_preparation)
    monkeypatch.setattr(preparation, "submit", submit)
    monkeypatch.setattr(preparation, "follow", ended)
    monkeypatch.setattr(preparation, "summary_text", lambda prepared: "the plan")
    monkeypatch.setattr(preparation, "summary_dict", lambda prepared: {"job": "tuppence-1"})
    return found


def test_flags_before_the_inputs_are_those_of_the_job(asked: dict[str, Any], call: Call) -> None:
    flags = ["--count", "3", "--budget", "5", "--instance", "ml.c5.xlarge", "--price", "0.2", "--yes"]
    code, out, errors = call("aws", "prepare", *flags, *LINE)
    assert (code, out) == (0, "tuppence-1\n")
    assert "the plan" in errors
    wish = asked["wish"]
    assert (wish.count, wish.budget_usd, wish.instance, wish.price_usd) == (3, 5.0, "ml.c5.xlarge", 0.2)
    assert (asked["line"].verb, asked["line"].words) == ("data prepare", LINE)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_dry_run_starts_nothing(asked: dict[str, Any], call: Call, flags: list[str]) -> None:
    code, out, _ = call("aws", "prepare", "--budget", "5", "--dry-run", *flags, *LINE)
    assert (code, asked["started"]) == (0, 0)
    assert out == ("" if not flags else json.dumps({"job": "tuppence-1"}, indent=2) + "\n")


@pytest.mark.parametrize(("answer", "started"), [("y\n", 1), ("n\n", 0), ("", 0)])
def test_a_job_is_started_after_a_yes_alone(asked: dict[str, Any], call: Call, answer: str, started: int) -> None:
    code, _, _ = call("aws", "prepare", "--budget", "5", *LINE, stdin=answer)
    assert (code, asked["started"]) == (0 if started else 130, started)


@pytest.mark.parametrize(("status", "code"), [("Completed", 0), ("Failed", 1), ("Stopped", 1)])
def test_the_end_of_a_job_is_told(asked: dict[str, Any], call: Call, status: str, code: int) -> None:
    asked["status"] = status
    found, out, errors = call("aws", "prepare", "--budget", "5", "--yes", "--wait", "--json", *LINE)
    assert found == code
    assert json.loads(out)["status"] == status
    assert ("no text" in errors) == bool(code)


def test_a_wrong_argument_of_data_prepare_is_refused_at_once(asked: dict[str, Any], call: Call) -> None:
    assert_refused(call("aws", "prepare", "--budget", "5", "TEXTS", *LINE[1:]), "there is no file or folder TEXTS")
    assert asked["started"] == 0

"""`tuppence aws init`, as a person calls it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml
from tests.aws.account import REGION, FakeSageMaker, only_kinds
from tests.aws.account import account as account
from tests.aws.account import account_server as account_server

from tuppence.aws import stack, sweep
from tuppence.cli import main
from tuppence.core import console
from tuppence.storage import client

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(account: FakeSageMaker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in this process: its exit code, stdout and stderr."""
    monkeypatch.setattr(sweep, "POLL_SECONDS", 0.02)

    def run(*words: str) -> tuple[int, str, str]:
        console.console.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main(["aws", *words])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_a_dry_run_prints_the_template_and_changes_nothing(run: Run) -> None:
    code, out, _ = run("init", "--dry-run", "--budget", "100", "--email", "me@example.org", "--max-hours", "2")
    assert code == 0
    template = yaml.safe_load(out)
    assert template["Outputs"]["MaxRuntimeInSeconds"]["Value"] == "7200"
    code, out, _ = run("init", "--dry-run", "--json", "--instances", "ml.g5.xlarge")
    assert json.loads(out)["Outputs"]["InstanceTypes"]["Value"] == "ml.g5.xlarge"
    assert client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_stack_is_made_after_a_question_and_deleted_after_another(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, errors = run("init")
    assert code == 2
    assert "add --yes if you are sure" in errors
    asked: list[str] = []

    def answer(question: str, agree: bool) -> bool:
        asked.append(question)
        return agree

    monkeypatch.setattr(console, "confirm", lambda question: answer(question, False))
    code, out, errors = run("init", "--max-hours", "10")
    assert (code, out) == (130, "")
    assert "up to $26.10 for each ml.g6e.xlarge of a job" in errors, "10 h at $2.61"
    assert asked == ["create the stack tuppence-stack in us-east-1?"]
    assert client("cloudformation").describe_stacks()["Stacks"] == []

    monkeypatch.setattr(console, "confirm", lambda question: answer(question, True))
    code, out, errors = run("init")
    assert code == 0
    made = stack.outputs(REGION)
    assert f"bucket   s3://{made.bucket}" in out
    assert made.launcher_policy_arn in errors
    code, out, _ = run("init", "--json")
    assert json.loads(out) == {"changed": False, **made.as_dict(), "instances": list(made.instances)}

    client("s3").put_object(Bucket=made.bucket, Key="a", Body=b"x")
    code, out, errors = run("init", "--destroy", "--dry-run")
    assert (code, out) == (0, "nothing was deleted\n")
    assert "1 object; 1 B in all" in errors
    code, out, _ = run("init", "--destroy")
    assert code == 0
    assert "each of its resources was looked for and is gone" in out
    assert asked[-1] == "delete the stack tuppence-stack in us-east-1 and 1 version in its bucket?"
    assert run("init", "--destroy", "--yes")[:2] == (0, "no such stack in us-east-1: nothing to delete\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "5"], "needs --budget and --email"),
        (["--region", "mars-1"], "no AWS region 'mars-1'"),
        (["--instances", "ml.nope"], "no instance type 'ml.nope'"),
        (["--instances", "ml.p3.2xlarge"], "ml.p3.2xlarge cannot run"),
    ],
)
def test_wrong_settings_end_with_two_lines(run: Run, words: list[str], message: str) -> None:
    code, out, errors = run("init", "--dry-run", *words)
    assert (code, out) == (2, "")
    assert message in errors
    assert len(errors.splitlines()) == 2


def test_sweep_lists_deletes_after_a_question_and_proves(
    run: Run, account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_kinds(monkeypatch, "training-job", "warm-pool")
    assert run("sweep")[:2] == (0, "made by tuppence: nothing\nmade by others: nothing\n")
    machine = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    account.add("TrainingJob", "tuppence-a", TrainingJobStatus="InProgress", ResourceConfig=machine)
    account.add("TrainingJob", "shop", TrainingJobStatus="InProgress", ResourceConfig=machine)
    code, out, _ = run("sweep")
    assert code == 0
    assert (
        "made by tuppence: $33.79 a day\n      $33.79  training-job/tuppence-a in us-east-1: InProgress, 1 × ml" in out
    )
    code, out, _ = run("sweep", "--json", "--delete", "--dry-run")
    listed = json.loads(out)
    assert (listed["usd_per_day"], listed["would_delete"]) == (pytest.approx(33.792), ["training-job/tuppence-a"])
    assert account.resources["TrainingJob"]["tuppence-a"]["TrainingJobStatus"] == "InProgress"

    asked: list[str] = []
    monkeypatch.setattr(console, "confirm", lambda question: bool(asked.append(question)))
    code, _, errors = run("sweep", "--delete")
    assert (code, asked) == (130, ["delete 1 resource for ever: training-job/tuppence-a?"])
    assert "nothing was deleted" in errors

    code, out, errors = run("sweep", "--delete", "--yes")
    assert code == 0, errors
    assert out == "1 resource deleted; a last look finds nothing of tuppence in us-east-1\n"
    assert "training-job/tuppence-a in us-east-1: stopping" in errors


def test_a_sweep_that_proves_nothing_ends_with_2(
    run: Run, account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_kinds(monkeypatch, "model", "app")
    account.add("Model", "tuppence-a")
    account.broken["DeleteModel"] = ("AccessDeniedException", "User is not authorized to perform this.")
    code, out, errors = run("sweep", "--delete", "--yes")
    assert code == 2
    assert out.startswith("left: model/tuppence-a in us-east-1 ($0.00 a day): failed: sagemaker DeleteModel")
    assert "1 resource not deleted" in errors
    account.broken["ListApps"] = ("AccessDeniedException", "User is not authorized to perform this.")
    code, _, errors = run("sweep")
    assert code == 2
    assert "app in us-east-1 could not be listed" in errors
    code, _, errors = run("sweep", "--delete", "--include", "model/none")
    assert code == 2
    assert "the sweep found no model/none" in errors

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence import cli
from tuppence.cost import refresh
from tuppence.cost.refresh import Refreshed

Tuppence = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_budget_alone_answers_what_it_buys(tuppence: Tuppence) -> None:
    answer = tuppence("plan", "--budget", "100")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("What $100.00 buys")
    assert answer.stdout.splitlines()[-1].startswith("The best that $100.00 buys is gpt2-355m")


def test_json(tuppence: Tuppence) -> None:
    answer = tuppence(
        "plan", "--model", "gpt2-124m", "--tokens", "10B", "--on", "ml.g5.xlarge", "--on", "g5.xlarge", "--json"
    )
    rows = json.loads(answer.stdout)["rows"]
    assert [row["where"] for row in rows] == ["ml.g5.xlarge", "g5.xlarge"]


@pytest.mark.parametrize(
    "flags",
    [
        ("--model", "gpt3"),
        ("--tokens", "lots"),
        ("--budget", "-1"),
        ("--on", "ml.g4nd.xlarge"),
        ("--region", "x"),
        ("--rate", "1"),
    ],
)
def test_a_wrong_question_has_a_hint(flags: tuple[str, str], tuppence: Tuppence) -> None:
    answer = tuppence("plan", *flags)
    assert (answer.returncode, answer.stdout) == (2, "")
    first, second = answer.stderr.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("  hint: ")


def test_a_refresh_is_told_and_a_failed_one_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[str] = []

    def refreshed(region: str) -> Refreshed:
        asked.append(region)
        return Refreshed((), tmp_path / "prices.json")

    monkeypatch.setattr(refresh, "refresh", refreshed)
    with pytest.raises(SystemExit) as done:
        cli.main(["plan", "--refresh", "--on", "ml.g5.xlarge"])
    out, errors = capsys.readouterr()
    assert (done.value.code, asked) == (0, ["us-east-1"])
    assert f"0 prices of SageMaker in us-east-1 are in {tmp_path / 'prices.json'}" in errors
    assert "ml.g5.xlarge" in out


def test_prices_can_be_shown_alone(tuppence: Tuppence) -> None:
    answer = tuppence("plan", "--prices", "--on", "ml.g5.xlarge", "--json")
    rows = json.loads(answer.stdout)
    assert [row["pays for"] for row in rows] == ["training", "notebook", "endpoint"]
    assert "days old" in tuppence("plan", "--prices").stdout

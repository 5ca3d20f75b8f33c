from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence import cli
from tuppence.cost import refresh
from tuppence.cost.rates import price_of
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


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
def test_if_no_machine_can_do_it_the_exit_code_is_2_and_the_answer_is_printed(
    json_flag: tuple[str, ...], tuppence: Tuppence
) -> None:
    answer = tuppence("plan", "--budget", "0.01", *json_flag)
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        "error: none of these machines can do it: the budget ends before the first step",
        "  hint: the first step costs $0.08 on ml.g4dn.xlarge; give a larger budget",
    ]
    if json_flag:
        assert {row["usd"] for row in json.loads(answer.stdout)["rows"]} == {None}
    else:
        assert answer.stdout.startswith("What $0.01 buys\n")


def test_prices_are_those_of_the_region(tuppence: Tuppence) -> None:
    answer = tuppence("plan", "--prices", "--region", "eu-central-1")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "no price in eu-central-1 is known" in answer.stderr


def test_a_refresh_is_told_and_a_failed_one_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[str] = []

    def refreshed(region: str) -> Refreshed:
        asked.append(region)
        return Refreshed((price_of("ml.g5.xlarge"),), tmp_path / "prices.json", ("the prices of EC2 are as before",))

    monkeypatch.setattr(refresh, "refresh", refreshed)
    with pytest.raises(SystemExit) as done:
        cli.main(["plan", "--refresh", "--on", "ml.g5.xlarge"])
    out, errors = capsys.readouterr()
    assert (done.value.code, asked) == (0, ["us-east-1"])
    assert f"1 price in us-east-1 (1 of SageMaker) saved in {tmp_path / 'prices.json'}" in errors
    assert "warning: the prices of EC2 are as before" in errors
    assert "ml.g5.xlarge" in out


def test_prices_can_be_shown_alone(tuppence: Tuppence) -> None:
    answer = tuppence("plan", "--prices", "--on", "ml.g5.xlarge", "--json")
    rows = json.loads(answer.stdout)
    assert [row["use"] for row in rows] == ["training", "notebook", "endpoint"]
    assert [row["usd"] for row in rows] == [1.408] * 3
    assert "days old" in tuppence("plan", "--prices").stdout

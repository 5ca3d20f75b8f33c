from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

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
    [("--model", "gpt3"), ("--tokens", "lots"), ("--budget", "-1"), ("--on", "ml.g4nd.xlarge"), ("--region", "x")],
)
def test_a_wrong_question_has_a_hint(flags: tuple[str, str], tuppence: Tuppence) -> None:
    answer = tuppence("plan", *flags)
    assert (answer.returncode, answer.stdout) == (2, "")
    first, second = answer.stderr.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("  hint: ")

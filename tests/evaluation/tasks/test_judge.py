"""The judge against an endpoint on this machine that answers, refuses, fails and redirects as it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.evaluation.conftest import Endpoint

from tuppence.core.errors import InputError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.tasks.judge import score_in


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    rows = [{"instruction": f"Say {{word}} {n}", "input": "", "output": f"word {n}"} for n in range(6)]
    path.write_text(json.dumps(rows))
    return path


def settings_for(endpoint: Endpoint, file: Path) -> EvalConfig:
    return EvalConfig(data=str(file), answer_tokens=3, judge_url=endpoint.url, judge_model="stern")


def test_scores_are_averaged_and_replies_without_a_score_are_counted(
    endpoint: Endpoint, world: Any, file: Path, tmp_path: Path
) -> None:
    endpoint.replies = [(200, "80"), (200, "Score: 60/100"), (200, "What an answer!"), (200, "40")]
    settings = settings_for(endpoint, file)
    numbers = evaluate(world.model, ["judge"], settings, device="cpu", out=tmp_path / "out")["judge"]
    assert numbers["score"] == pytest.approx((80 + 60 + 40 + 40 + 40) / 5)
    assert (numbers["scored"], numbers["unparsed"], numbers["rows"]) == (5, 1, 6)
    assert (numbers["judge_model"], numbers["judge_url"]) == ("stern", f"{endpoint.url}/chat/completions")

    asked = endpoint.asked[0]
    assert (asked["model"], asked["temperature"]) == ("stern", 0)
    lines = (tmp_path / "out" / "evaluation" / "judge.jsonl").read_text().splitlines()
    assert "from 0 (useless or wrong) to 100" in json.loads(lines[0])["key"]["settings"]["judge_prompt"]
    kept = [json.loads(line) for line in lines[1:]]
    assert sorted(row["reply"] for row in kept) == sorted(["80", "Score: 60/100", "What an answer!", "40", "40", "40"])
    assert {row["prompt"] for row in kept} == {one["messages"][0]["content"] for one in endpoint.asked}
    assert all("Say {word}" in row["prompt"] and row["judge_model"] == "stern" for row in kept)

    count = len(endpoint.asked)
    again = evaluate(world.model, ["judge"], settings, device="cpu", out=tmp_path / "out")["judge"]
    assert len(endpoint.asked) == count  # nothing is paid for twice
    assert again["score"] == numbers["score"]


def test_the_mean_is_none_if_no_reply_has_a_score(endpoint: Endpoint, world: Any, file: Path) -> None:
    endpoint.replies = [(200, "I would rather not say.")]
    numbers = evaluate(world.model, ["judge"], settings_for(endpoint, file), device="cpu")["judge"]
    assert (numbers["score"], numbers["unparsed"]) == (None, 6)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("100", 100),
        ("0", 0),
        ("72.5", 72.5),
        (" **85** ", 85),
        ("On a scale of 0-100, the score is 70.", 70),
        ("Score (0-100): 85", 85),
        ("35 out of 100", 35),
        ("Score: 20. No, wait. Score: 30", 30),
        ("It has 3 errors in 2 lines.", None),
        ("-5", None),
        ("101", None),
        ("", None),
        ("2nd best", None),
        ("between 60 and 70", None),
        ("Score: 7/10", None),
        ("score: 8 out of 10", None),
        ("Score: 1,000", None),
        ("It meets 2/3 of the points. Score: 66, not more", 66),
    ],
)
def test_a_score_is_the_named_number_or_the_only_one(reply: str, score: float | None) -> None:
    assert score_in(reply) == score


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"judge_url": None}, "judge needs a judge"),
        ({"judge_model": None}, "judge needs a judge"),
        ({"judge_url": "file:///etc/passwd"}, "is not an http or https address"),
        ({"judge_key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY is not set"),
    ],
)
def test_wrong_options_are_refused_before_the_model_answers(
    wrong: dict[str, Any], message: str, endpoint: Endpoint, world: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    monkeypatch.setattr("tuppence.evaluation.tasks.judge.answer_rows", lambda *_: pytest.fail("the model was asked"))
    with pytest.raises(InputError, match=message):
        evaluate(world.model, ["judge"], replace(settings_for(endpoint, file), **wrong), device="cpu")

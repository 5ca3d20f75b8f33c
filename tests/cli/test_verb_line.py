from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.cli.verb_line import read_verb_line
from tuppence.core.errors import InputError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DATA").mkdir()
    (tmp_path / "rows.jsonl").write_text("{}\n")
    return "DATA"


def uses(words: list[str]) -> list[tuple[int, str, str, str]]:
    return [(place.index, place.before, place.value, place.use) for place in read_verb_line(words).places]


def test_inputs_and_outputs_are_known_by_their_types(data: str) -> None:
    words = ["pretrain", "--data", data, "--out=runs/x", "--config", "tiny", "--resume", "auto", "--set", "train.lr=1"]
    assert uses(words) == [(1, "", "DATA", "input"), (2, "--out=", "runs/x", "output")]


def test_a_budget_of_the_verb_is_that_of_the_job(data: str) -> None:
    line = read_verb_line(["pretrain", "--budget", "5", "--data", data, "--out", "x", "--max-steps=3"])
    assert (line.budget_usd, line.words) == (5.0, ("--data", "DATA", "--out", "x", "--max-steps=3"))
    assert uses(["pretrain", "--budget=5", "--data", data, "--out", "x"])[0] == (1, "", "DATA", "input")
    assert (line.takes_budget, line.writes_run, line.several_ranks) == (True, True, True)


def test_named_and_repeated_inputs_are_places(data: str) -> None:
    words = ["tokenizer", "train", "rows.jsonl", data, "s3://b/more.txt", "--vocab-size", "300", "--out", "TOK"]
    assert [place[2:] for place in uses(words)] == [
        ("rows.jsonl", "input"),
        ("DATA", "input"),
        ("s3://b/more.txt", "input"),
        ("TOK", "output"),
    ]
    assert not read_verb_line(words).takes_budget


def test_a_base_is_a_run(data: str) -> None:
    words = ["finetune", "instruct", "--base", data, "--data", "rows.jsonl", "--out", "x"]
    assert (read_verb_line(words).verb, uses(words)[0]) == ("finetune instruct", (1, "", "DATA", "run"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pretend"], "no verb 'pretend'"),
        ([], "no verb ''"),
        (["chat", "DATA"], "talks to a person"),
        (["aws", "jobs"], "controls jobs"),
        (["plan"], "writes no result"),
        (["pretrain", "--data", "nothing", "--out", "x"], "no file or folder nothing"),
        (["pretrain", "--data", "D*", "--out", "x"], "no file or folder"),
        (["pretrain", "--data", "DATA", "--out", "x", "--config", "huge"], "no recipe"),
        (["pretrain", "--data", "DATA", "--out", "x", "--rate", "1"], "--rate"),
        (["pretrain", "--data", "DATA", "--out", "x", "--set", "train.learning_rat=1"], "learning_rat"),
        (["align", "dpo", "--base", "DATA", "--data", "DATA", "--out", "x", "--set", "dpo.beta=high"], "dpo.beta"),
    ],
)
def test_what_cannot_be_a_job_is_refused(data: str, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("*", r"\*")):
        read_verb_line(words)

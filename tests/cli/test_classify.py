"""How the flags of `finetune classify` arrive, and what `classify` prints. With models: tests/integration."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import (
    RUN_FLAGS,
    SUMMARY,
    Call,
    Intercept,
    assert_refused,
    assert_run_flags_arrived,
)

from tuppence.core.config import load_config
from tuppence.evaluation.scoring.classifier import Classified
from tuppence.tasks.classify import ClassifyRecipe
from tuppence.tasks.labelled import LabelledFiles

LINE = ["finetune", "classify", "--base", "base", "--data", "sms.tsv", "--out", "run"]
INTERVALS = {"intervals": {"accuracy": [0.9, 1.0], "f1": [0.8, 0.95]}, "f1_of": "spam"}
EVALUATION = {
    "classification": {
        "rows": 1200,
        "accuracy": 0.97,
        "f1": 0.9,
        **INTERVALS,
        "verdict": "It pays.",
        "baselines": {"majority class": {"accuracy": 0.8, "f1": 0.0, **INTERVALS}},
    }
}


def test_every_flag_of_the_finetune_arrives(call: Call, intercept: Intercept) -> None:
    asked = intercept("tuppence.tasks.classify", "run_classify")
    intercept("tuppence.evaluation.rows.labelled", "first_test_text", "--I'm late,\n sorry")
    files = ["--val", "val.tsv", "--test", "test.tsv", "--text-column", "body", "--label-column", 1]
    flags = [*files, "--train", "lora", "--balance", "--epochs", 0.5, "--skip-bad-rows", *RUN_FLAGS]
    code, out, errors = call(*LINE, *flags)
    assert (code, out) == (0, "")
    assert """next: tuppence classify run 'I'"'"'m late, sorry'\n""" in errors
    assert_run_flags_arrived(asked, Path("run"))
    (given,) = [value for value in asked.values() if isinstance(value, LabelledFiles)]
    assert given == LabelledFiles("sms.tsv", "val.tsv", "test.tsv", "body", "1", True)
    keys = ["finetune.train=lora", "finetune.balance=true", "finetune.epochs=0.5"]
    shared = ["train.max_steps=7", "train.learning_rate=3e-4"]
    assert asked["config"] == load_config(ClassifyRecipe, overrides=[*keys, *shared])


def test_the_test_split_is_printed_with_its_baselines_and_once_in_json(call: Call, intercept: Intercept) -> None:
    asked = intercept("tuppence.tasks.classify", "run_classify", {**SUMMARY, "evaluation": EVALUATION})
    _, out, errors = call(*LINE)
    assert out == ""
    assert errors.splitlines()[-3:] == [
        "test split (1,200 rows): accuracy 0.9700 [0.9000, 1.0000], F1 (spam) 0.9000 [0.8000, 0.9500]",
        "  majority class: accuracy 0.8000 [0.9000, 1.0000], F1 (spam) 0.0000 [0.8000, 0.9500]",
        "It pays.",
    ]
    assert asked["config"] == ClassifyRecipe()
    _, out, errors = call(*LINE, "--json")
    assert (json.loads(out), errors) == ({**SUMMARY, "evaluation": EVALUATION}, "")


class Shouting:
    """A classifier for which a text in capitals is spam; keeps its arguments."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def classify(self, loaded: object, texts: Iterable[str]) -> Iterator[Classified]:
        for text in texts:
            self.asked.append(text)
            label = "spam" if text.isupper() else "ham"
            yield Classified(text, label, {"ham": float(label == "ham"), "spam": float(label == "spam")})


@pytest.fixture
def classifier(intercept: Intercept, monkeypatch: pytest.MonkeyPatch) -> Shouting:
    classifier = Shouting()
    intercept("tuppence.model.loaded", "load")
    monkeypatch.setattr("tuppence.evaluation.scoring.classifier.classify", classifier.classify)
    return classifier


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes, tty: bool = False) -> None:
    stream: Any = io.TextIOWrapper(io.BytesIO(content))
    stream.isatty = lambda: tty
    monkeypatch.setattr(sys, "stdin", stream)


def test_a_text_is_one_line_in_the_table_and_complete_in_json(call: Call, classifier: Shouting) -> None:
    texts = ["WIN\tA\nPRIZE", "see  you"]
    assert call("classify", "run", *texts) == (0, "spam\t1.0000\tWIN A PRIZE\nham\t1.0000\tsee you\n", "")
    code, out, errors = call("classify", "run", *texts, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(out) == [
        {"text": "WIN\tA\nPRIZE", "label": "spam", "probabilities": {"ham": 0, "spam": 1}},
        {"text": "see  you", "label": "ham", "probabilities": {"ham": 1, "spam": 0}},
    ]


def test_a_label_with_tabs_and_newlines_stays_on_one_line(
    call: Call, intercept: Intercept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def classify(loaded: object, texts: Iterable[str]) -> Iterator[Classified]:
        for text in texts:
            yield Classified(text, "not\tspam\r\n", {"not\tspam\r\n": 1.0})

    intercept("tuppence.model.loaded", "load")
    monkeypatch.setattr("tuppence.evaluation.scoring.classifier.classify", classify)
    assert call("classify", "run", "see you\x1b[31m")[1] == "not\\tspam\\r\\n\t1.0000\tsee you\x1b[31m\n"


def test_texts_come_from_lines_on_stdin_or_from_a_column(
    call: Call, classifier: Shouting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stdin(monkeypatch, "été\n\nWIN\n".encode())
    assert call("classify", "run")[1] == "ham\t1.0000\tété\nspam\t1.0000\tWIN\n"
    for words in (["-"], ["--file", "-"]):
        stdin(monkeypatch, b"WIN\n", tty=True)
        assert call("classify", "run", *words)[1] == "spam\t1.0000\tWIN\n"
    classifier.asked.clear()
    (tmp_path / "mails.csv").write_text("text,body\none,see you\ntwo,WIN\n")
    call("classify", "run", "--file", tmp_path / "mails.csv", "--text-column", "body")
    assert classifier.asked == ["see you", "WIN"]


def test_no_text_gives_an_empty_list_from_a_pipe_and_an_error_at_a_terminal(
    call: Call, classifier: Shouting, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, b"")
    assert call("classify", "run", "--json") == (0, "[]\n", "")
    stdin(monkeypatch, b"", tty=True)
    assert_refused(call("classify", "run"), "there is no text to classify")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classify"], "'run'"),
        (LINE[:4], "--data"),
        ([*LINE, "--epochs", 0], "finetune.epochs"),
        ([*LINE, "--max-steps", "x"], "--max-steps"),
    ],
)
def test_wrong_flags_give_an_error_of_two_lines(words: list[object], message: str, call: Call) -> None:
    assert_refused(call(*words), message)


def test_a_test_split_that_is_too_small_gives_a_warning(call: Call, intercept: Intercept) -> None:
    numbers = EVALUATION["classification"]
    unknown = {"f1": None, "intervals": {"accuracy": None, "f1": None}, "rows": 1, "verdict": None}
    intercept(
        "tuppence.tasks.classify", "run_classify", {**SUMMARY, "evaluation": {"classification": numbers | unknown}}
    )
    _, _, errors = call(*LINE)
    assert "test split (1 row): accuracy 0.9700, F1 (spam) undefined" in errors
    assert "warning: the test split is too small" in errors

"""The task `classification` on a run's splits and on other files, with its baselines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tests.evaluation.conftest import World

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.data.records.labelled import LabelledText
from tuppence.data.records.splits import Splits
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate, evaluate_several
from tuppence.evaluation.rows.labelled import write_splits
from tuppence.evaluation.scoring.class_baselines import MAJORITY, TFIDF
from tuppence.evaluation.tasks.classification import positive_class
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.saving import save_scorer

metrics = pytest.importorskip("sklearn.metrics")


def rows(count: int, first: int) -> list[LabelledText]:
    """A quarter of them spam, told by one word in most."""
    words = ["you have won", "see you at noon", "it rained again", "call me"]
    return [
        LabelledText(f"{words[n % 4] if n % 7 else 'well'} {n}", "spam" if n % 4 == 0 else "ham")
        for n in range(first, first + count)
    ]


@pytest.fixture
def make_run(world: World, tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "run", seed: int = 0) -> Path:
        torch.manual_seed(seed)
        sizes = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=32, vocab_size=world.tokenizer.vocab_size)
        model = SequenceScorer(GPT(sizes), 2)
        with torch.no_grad():
            model.score.weight.mul_(20)
        folder = tmp_path / name
        save_scorer(model, folder / "model", labels=["ham", "spam"], tokenizer=world.tokenizer)
        (folder / "run.yaml").write_text(yaml.safe_dump({"status": "done"}))
        splits = Splits(rows(120, 0), rows(30, 120), rows(60, 150), ("ham", "spam"), 0, 0, 0)
        write_splits(splits, Run(folder))
        return folder

    return make


def test_a_classifier_is_measured_on_its_own_test_split_by_default(make_run: Callable[..., Path]) -> None:
    run = make_run()
    numbers = evaluate(run)["classification"]
    assert numbers == json.loads((run / "evaluation.json").read_text())["classification"]
    kept = [json.loads(line) for line in (run / "evaluation" / "classification.jsonl").read_text().splitlines()][1:]
    kept.sort(key=lambda row: row["row"])
    gold = np.array([row["label"] == "spam" for row in kept])
    scores = np.array([row["probabilities"][1] for row in kept])
    assert (numbers["rows"], numbers["f1_of"]) == (60, "spam")
    assert numbers["accuracy"] == pytest.approx(metrics.accuracy_score(gold, scores > 0.5))
    assert numbers["f1"] == pytest.approx(metrics.f1_score(gold, scores > 0.5))
    assert numbers["auc"] == pytest.approx(metrics.roc_auc_score(gold, scores))
    assert numbers["confusion"] == metrics.confusion_matrix(gold, scores > 0.5).tolist()
    assert numbers["classes"]["spam"]["recall"] == pytest.approx(metrics.recall_score(gold, scores > 0.5))
    for name in ("accuracy", "f1", "auc", "brier", "ece"):
        low, high = numbers["intervals"][name]
        assert low <= high
    assert metrics.auc(*numbers["roc"].values()) == pytest.approx(numbers["auc"], abs=0.01)


def test_the_baselines_are_measured_on_the_same_rows(make_run: Callable[..., Path]) -> None:
    numbers = evaluate(make_run())["classification"]
    assert list(numbers["baselines"]) == [MAJORITY, TFIDF]
    assert numbers["baselines"][MAJORITY]["accuracy"] == pytest.approx(0.75)
    assert numbers["baselines"][MAJORITY]["auc"] == 0.5
    assert numbers["baselines"][TFIDF]["accuracy"] > 0.9
    difference = numbers["differences"][TFIDF]["accuracy"]
    assert difference["difference"] == pytest.approx(numbers["accuracy"] - numbers["baselines"][TFIDF]["accuracy"])
    assert "is worse than TF-IDF + logistic regression" in numbers["verdict"]  # the model is random


def test_the_surest_mistakes_are_shown(make_run: Callable[..., Path]) -> None:
    mistakes = evaluate(make_run())["classification"]["mistakes"]
    assert mistakes
    sure = [one["probability"] for one in mistakes]
    assert sure == sorted(sure, reverse=True)
    assert all(one["label"] != one["predicted"] for one in mistakes)


def test_rows_that_were_scored_before_are_not_scored_again(
    make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    first = evaluate(run)["classification"]
    log = run / "evaluation" / "classification.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:20]) + '{"row": 7, "proba')  # killed in the middle of a line
    again = evaluate(run)["classification"]
    assert "19 rows of 60 had been scored before" in capsys.readouterr().err
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_two_classifiers_are_compared_on_the_same_rows(make_run: Callable[..., Path]) -> None:
    results = evaluate_several([make_run("a", 0), make_run("b", 1)])
    found = results["comparison"]["tasks"]["classification"]["accuracy"]["b"]
    accuracy = {name: results["runs"][name]["classification"]["accuracy"] for name in "ab"}
    assert found["difference"] == pytest.approx(accuracy["b"] - accuracy["a"])
    assert found["units"] == 60


def test_another_file_can_be_named(make_run: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "more.tsv").write_text("spam\tyou have won\nham\tsee you\nham\tit rained\n")
    numbers = evaluate(make_run(), None, EvalConfig(data=str(tmp_path / "more.tsv")))["classification"]
    assert numbers["rows"] == 3


@pytest.mark.parametrize("place", ["splits/training.jsonl", "splits/test.jsonl"])
def test_missing_training_split_gives_no_baselines_and_missing_test_split_is_refused(
    make_run: Callable[..., Path], place: str, tmp_path: Path
) -> None:
    run = make_run()
    (run / place).unlink()
    if "test" in place:
        with pytest.raises(InputError, match="has no test split"):
            evaluate(run)
    else:
        assert evaluate(run)["classification"]["baselines"] == {}


def test_a_label_that_the_model_does_not_know_is_refused(make_run: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "more.tsv").write_text("eggs\tyou have won\nham\tsee you\nham\tit rained\n")
    with pytest.raises(InputError, match="the label 'eggs', which the model does not know"):
        evaluate(make_run(), None, EvalConfig(data=str(tmp_path / "more.tsv")))


def test_tasks_of_language_models_are_refused(make_run: Callable[..., Path], world: World) -> None:
    with pytest.raises(InputError, match="is a classifier; perplexity is for a language model"):
        evaluate(make_run(), ["perplexity"])
    with pytest.raises(InputError, match="classification is for a classifier"):
        evaluate(world.model, ["classification"])


@pytest.mark.parametrize(
    ("counts", "expected"), [((10, 90), 0), ((90, 10), 1), ((50, 50), 1), ((48, 50), 1), ((50, 48), 1)]
)
def test_the_positive_class_is_the_rarer_or_else_the_second(counts: tuple[int, int], expected: Any) -> None:
    assert positive_class(["a"] * counts[0] + ["b"] * counts[1], ["a", "b"]) == expected
    assert positive_class(["a"], ["a", "b", "c"]) is None


def test_a_class_without_test_rows_has_no_f1_and_there_is_no_verdict(
    make_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ham.tsv").write_text("label\ttext\n" + "".join(f"ham\tsee you at {n}\n" for n in range(40)))
    numbers = evaluate(make_run(), None, EvalConfig(data=str(tmp_path / "ham.tsv")))["classification"]
    assert (numbers["f1"], numbers["intervals"]["f1"], numbers["auc"], numbers["verdict"]) == (None, None, None, None)
    assert numbers["classes"]["spam"]["recall"] is numbers["classes"]["spam"]["f1"] is None
    assert numbers["classes"]["ham"]["f1"] is not None
    assert "the test data has no row of 'spam'" in capsys.readouterr().err


def test_few_test_rows_give_no_verdict(make_run: Callable[..., Path]) -> None:
    assert evaluate(make_run(), None, EvalConfig(limit=12))["classification"]["verdict"] is None


def test_the_columns_of_training_are_remembered_and_others_can_be_named(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run()
    record = {"status": "done", "columns": {"text": "headline", "label": "topic"}}
    (run / "run.yaml").write_text(yaml.safe_dump(record))
    path = tmp_path / "news.csv"
    path.write_text("headline,text,topic,label\nyou have won,a,spam,x\nsee you,b,ham,y\n")
    remembered = evaluate(run, None, EvalConfig(data=str(path)))["classification"]
    assert [
        row["label"] for row in map(json.loads, (run / "evaluation" / "classification.jsonl").open()) if "row" in row
    ]
    assert remembered["rows"] == 2
    with pytest.raises(InputError, match="the label 'x'"):
        evaluate(run, None, EvalConfig(data=str(path), text_column="text", label_column="label"))


def test_skip_bad_rows_leaves_out_bad_rows(make_run: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "gap.csv").write_text("text,label\nyou have won,spam\nsee you,\nit rained,ham\n")
    with pytest.raises(InputError, match="it has no label") as caught:
        evaluate(make_run(), None, EvalConfig(data=str(tmp_path / "gap.csv")))
    assert "--skip-bad-rows" in caught.value.hint
    settings = EvalConfig(data=str(tmp_path / "gap.csv"), skip_bad_rows=True)
    assert evaluate(make_run(), None, settings)["classification"]["rows"] == 2


def test_rows_of_another_column_are_scored_again(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run, path = make_run(), tmp_path / "two.csv"
    path.write_text("a,b,label\nyou have won,see you at noon,ham\nit rained again,call me,spam\n")
    first, second = (
        evaluate(run, None, EvalConfig(data=str(path), text_column=column, label_column="label"))["classification"]
        for column in "ab"
    )
    assert first["brier"] != second["brier"]


def test_labels_in_another_spelling_are_those_of_the_model(world: World, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=32, vocab_size=world.tokenizer.vocab_size)
    save_scorer(SequenceScorer(GPT(sizes), 2), tmp_path / "model", labels=["False", "True"], tokenizer=world.tokenizer)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"status": "done"}))
    parts = [
        [LabelledText(row.text, "True" if row.label == "spam" else "False") for row in rows(count, first)]
        for count, first in ((120, 0), (30, 120), (60, 150))
    ]
    write_splits(Splits(parts[0], parts[1], parts[2], ("False", "True"), 0, 0, 0), Run(tmp_path))
    numbers = evaluate(tmp_path)["classification"]
    assert (numbers["f1_of"], numbers["baselines"][MAJORITY]["accuracy"]) == ("True", pytest.approx(0.75))

"""A classifier's part of the report."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.figures.conftest import make_numbers, table_rows

from tuppence.figures import classification_page
from tuppence.figures.report import write_report

pytest.importorskip("matplotlib")


def test_the_report_shows_it_all_and_escapes_what_comes_from_the_data(
    tmp_path: Path, make_run: Callable[..., Path], outline: type, nasty: str
) -> None:
    run = make_run(tmp_path / "run")
    (run / "evaluation.json").write_text(json.dumps({"classification": make_numbers(nasty, nasty)}))
    record = yaml.safe_load((run / "run.yaml").read_text())
    (run / "run.yaml").write_text(yaml.safe_dump({**record, "verb": "finetune classify"}))
    page = write_report(run).read_text()
    found = outline(page)
    assert not {"script", "img"} & found.tags
    words = " ".join(found.words)
    for expected in ("Does the language model pay?", "test accuracy", "97.0%", "Confusion matrix", "ROC", "surest"):
        assert expected in words
    assert words.count(nasty) >= 4  # text, label, class, verdict
    assert "nats per text" in words
    assert "perplexity at that loss" not in words


@pytest.mark.parametrize("key", ["classes", "mistakes", "confusion", "intervals"])
def test_a_damaged_evaluation_costs_its_part_of_the_report_alone(
    tmp_path: Path, make_run: Callable[..., Path], numbers: dict[str, Any], key: str
) -> None:
    run = make_run(tmp_path / "run", steps=20)
    damaged = copy.deepcopy(numbers)
    damaged[key] = "gone"
    (run / "evaluation.json").write_text(json.dumps({"classification": damaged}))
    assert "Receipt" in write_report(run).read_text()


def test_an_undefined_measure_is_said_to_be(numbers: dict[str, Any]) -> None:
    numbers["auc"] = None
    numbers["intervals"]["auc"] = None
    assert "undefined" in "".join(classification_page.cards({**numbers, "roc": None}))


def tables(numbers: dict[str, Any]) -> dict[str, list[list[str]]]:
    """The tables of the cards, by their titles."""
    plain = [one for one in classification_page.cards(numbers) if "<svg" not in one]
    titles = [one.partition("<h3>")[2].partition("</h3>")[0] for one in plain]
    return dict(zip(titles, map(table_rows, plain), strict=True))


def test_the_headline_is_accuracy_and_the_f1_of_the_class_that_is_looked_for(numbers: dict[str, Any]) -> None:
    assert list(classification_page.headline(numbers)) == [("test accuracy", "97.0%"), ("test F1, spam", "0.960")]
    assert list(classification_page.headline({"accuracy": 1.0, "f1": float("nan")})) == [("test accuracy", "100.0%")]


def test_model_and_baselines_stand_side_by_side_with_their_intervals(numbers: dict[str, Any]) -> None:
    head, accuracy, f1, *rest = tables(numbers)["On 300 test rows, with 95 % bootstrap intervals"]
    assert head == ["", "language model", "majority class", "TF-IDF + logistic regression"]
    assert accuracy == ["accuracy", "0.970 (0.870 to 0.990)", "0.500 (0.400 to 0.520)", "0.950 (0.850 to 0.970)"]
    assert f1[:2] == ["F1, spam", "0.960 (0.870 to 0.990)"]
    assert [row[0] for row in rest] == [
        "macro F1",
        "ROC-AUC",
        "Brier score (less is better)",
        "calibration error (less is better)",
    ]


def test_every_class_and_every_mistake_has_its_row_and_long_texts_are_cut() -> None:
    found = tables(make_numbers("x" * 301, "spam"))
    interval = "(0.900 to 1.000)"
    assert found["Class by class"][1:] == [
        [name, "150", f"0.980 {interval}", f"0.960 {interval}", f"0.970 {interval}"] for name in ("ham", "spam")
    ]
    assert found["Where it was surest, and wrong"][1:] == [["x" * 299 + "…", "spam", "ham", "93.0%"]]
    short = tables(make_numbers("x" * 300))["Where it was surest, and wrong"]
    assert short[1][0] == "x" * 300

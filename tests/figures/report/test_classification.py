"""The evaluation of a classifier in the report."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.figures.conftest import make_numbers

from tuppence.figures.report import classification
from tuppence.figures.report.page import write_report

pytest.importorskip("matplotlib")


def test_the_report_shows_the_evaluation_and_escapes_the_data(
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
    for expected in (
        "The language model against baselines",
        "test accuracy",
        "97.0%",
        "Confusion matrix",
        "ROC",
        "most confident errors",
    ):
        assert expected in words
    assert words.count(nasty) >= 4  # text, label, class, verdict
    assert "nats per text" in words
    assert "perplexity at that loss" not in words


@pytest.mark.parametrize("key", ["classes", "mistakes", "confusion", "intervals"])
def test_a_damaged_evaluation_is_left_out_of_the_report(
    tmp_path: Path, make_run: Callable[..., Path], numbers: dict[str, Any], key: str
) -> None:
    run = make_run(tmp_path / "run", steps=20)
    damaged = copy.deepcopy(numbers)
    damaged[key] = "gone"
    (run / "evaluation.json").write_text(json.dumps({"classification": damaged}))
    assert "Receipt" in write_report(run).read_text()


def test_an_undefined_measure_is_called_undefined(numbers: dict[str, Any]) -> None:
    numbers["auc"] = None
    numbers["intervals"]["auc"] = None
    rows = classification.template_values({**numbers, "roc": None})["measures"]["rows"]
    assert rows[3][:2] == ("ROC-AUC", "undefined")


def test_without_baselines_and_curves_there_are_no_figures(numbers: dict[str, Any]) -> None:
    found = classification.template_values(
        {**numbers, "baselines": {}, "confusion": [], "reliability": [], "roc": None}
    )
    assert found["scores"] is None
    assert found["figures"] == [None, None, None]


def test_bars_and_curves_are_those_of_the_evaluation(numbers: dict[str, Any]) -> None:
    scores, roc = classification.scores_figure(numbers), classification.roc_figure(numbers)
    calibration = classification.calibration_figure(numbers)
    assert scores is not None
    assert [bar.get_width() for bar in scores.axes[0].patches] == pytest.approx([0.97, 0.5, 0.95, 0.96, 0.49, 0.94])
    assert scores.axes[0].collections[0].get_segments()[0][:, 0].tolist() == pytest.approx([0.87, 0.99])
    assert roc is not None
    assert roc.axes[0].get_title(loc="left") == "ROC of spam (area 0.9400)"
    assert calibration is not None
    assert calibration.axes[0].lines[1].get_xydata().tolist() == [[0.66, 0.5], [0.99, 0.98]]


def test_the_headline_is_accuracy_and_the_f1_of_the_positive_class(numbers: dict[str, Any]) -> None:
    assert list(classification.headline(numbers)) == [("test accuracy", "97.0%"), ("test F1, spam", "0.960")]
    assert list(classification.headline({"accuracy": 1.0, "f1": float("nan")})) == [("test accuracy", "100.0%")]


def test_the_measures_of_model_and_baselines_are_side_by_side_with_intervals(numbers: dict[str, Any]) -> None:
    found = classification.template_values(numbers)["measures"]
    accuracy, f1, *rest = found["rows"]
    assert found["columns"] == ("", "language model", "majority class", "TF-IDF + logistic regression")
    assert accuracy == ("accuracy", "0.970 (0.870 to 0.990)", "0.500 (0.400 to 0.520)", "0.950 (0.850 to 0.970)")
    assert f1[:2] == ("F1, spam", "0.960 (0.870 to 0.990)")
    assert [row[0] for row in rest] == [
        "macro F1",
        "ROC-AUC",
        "Brier score (less is better)",
        "calibration error (less is better)",
    ]


def test_every_class_and_every_mistake_has_a_row_and_long_texts_are_cut() -> None:
    found = classification.template_values(make_numbers("x" * 301, "spam"))
    interval = "(0.900 to 1.000)"
    assert found["classes"] == [
        (name, "150", f"0.980 {interval}", f"0.960 {interval}", f"0.970 {interval}") for name in ("ham", "spam")
    ]
    assert found["mistakes"] == [("x" * 299 + "…", "spam", "ham", "93.0%")]
    assert classification.template_values(make_numbers("x" * 300))["mistakes"][0][0] == "x" * 300

"""The pictures of a classifier, and its part of the report."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuppence.figures import classification, classification_page
from tuppence.figures.classification import against_baselines, confusion_matrix, reliability_diagram, roc_curve
from tuppence.figures.report import write_report
from tuppence.figures.svg import to_svg

pytest.importorskip("matplotlib")


def headline(accuracy: float) -> dict[str, Any]:
    names = ("accuracy", "f1", "macro_f1", "auc", "brier", "ece")
    return {
        **{name: accuracy - place / 100 for place, name in enumerate(names)},
        "f1_of": "spam",
        "intervals": {name: [accuracy - 0.1, min(accuracy + 0.02, 1.0)] for name in names},
    }


def make_numbers(text: str = "You have won", label: str = "spam") -> dict[str, Any]:
    return {
        **headline(0.97),
        "f1_of": label,
        "rows": 300,
        "labels": ["ham", label],
        "classes": {
            name: {
                "rows": 150,
                "precision": 0.98,
                "recall": 0.96,
                "f1": 0.97,
                "intervals": {key: [0.9, 1.0] for key in ("precision", "recall", "f1")},
            }
            for name in ("ham", label)
        },
        "confusion": [[146, 4], [5, 145]],
        "reliability": [
            {"confidence": 0.66, "accuracy": 0.5, "rows": 12},
            {"confidence": 0.99, "accuracy": 0.98, "rows": 288},
        ],
        "roc": {"false_positive_rate": [0, 0.02, 1], "true_positive_rate": [0, 0.96, 1]},
        "mistakes": [{"text": text, "label": label, "predicted": "ham", "probability": 0.93}],
        "baselines": {"majority class": headline(0.5), "TF-IDF + logistic regression": headline(0.95)},
        "verdict": f"The language model beats {text}.",
    }


@pytest.fixture
def numbers() -> dict[str, Any]:
    return make_numbers()


def test_the_confusion_matrix_has_every_count_and_shades_shares(numbers: dict[str, Any]) -> None:
    figure = confusion_matrix(numbers)
    assert figure is not None
    axes = figure.axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["145", "146", "4", "5"]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["ham", "spam"]
    shades = [patch.get_alpha() for patch in axes.patches]
    assert shades == pytest.approx([0.9 * share for share in (146 / 150, 4 / 150, 5 / 150, 145 / 150)])


def test_curves_go_through_the_points_that_were_measured(numbers: dict[str, Any]) -> None:
    roc, calibration = roc_curve(numbers), reliability_diagram(numbers)
    assert roc is not None
    assert calibration is not None
    assert roc.axes[0].lines[1].get_xydata().tolist() == [[0, 0], [0.02, 0.96], [1, 1]]
    assert calibration.axes[0].lines[1].get_xydata().tolist() == [[0.66, 0.5], [0.99, 0.98]]


def test_bars_are_as_long_as_the_measures_and_carry_their_intervals(numbers: dict[str, Any]) -> None:
    figure = against_baselines(numbers)
    assert figure is not None
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.97, 0.5, 0.95, 0.96, 0.49, 0.94])
    first = axes.collections[0].get_segments()[0]
    assert first[:, 0].tolist() == pytest.approx([0.87, 0.99])


def test_what_was_not_measured_is_not_drawn() -> None:
    for draw in (confusion_matrix, reliability_diagram, roc_curve, against_baselines):
        assert draw({}) is None


def test_labels_are_no_formulas_and_no_markup(nasty: str) -> None:
    for label in ("$x^2$ & <b>", nasty):
        figure = confusion_matrix(make_numbers(label=label))
        assert figure is not None
        svg = to_svg(figure, "confusion", "label")
        assert "<script" not in svg
        assert "<b>" not in svg
    assert classification._name("costs $5 or $6") == r"costs \$5 or \$6"


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

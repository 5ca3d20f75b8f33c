"""The page of a quickstart: complete in itself, escaped, and written from the stages that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.figures.conftest import assert_self_contained

from tuppence.core.errors import InputError
from tuppence.figures.quickstart_report.data import STATE_NAME, LifeState, QuickstartData
from tuppence.figures.quickstart_report.page import render_quickstart_report, write_quickstart_report
from tuppence.figures.run_data import read_run

RUNS = ("pretrain", "spam", "instruct", "dpo")


def words(outline: Any, page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(outline(page).words))


def stages_of(nasty: str) -> dict[str, dict[str, Any]]:
    """The stages of story.json, with hostile text wherever text comes from outside."""
    answers = {"pretrain": nasty, "instruct": "plum", "dpo": "plum"}
    row = {"prompt": "Name a fruit. " + nasty, "reference": "plum " + nasty, "answers": answers}
    right = {"pretrain": False, "instruct": True, "dpo": True}
    scores = {"pretrain": (0.0, 3.0), "instruct": (0.25, 3.4), "dpo": (0.24, 3.5)}
    numbers: dict[str, Any] = {
        "stories": {"stories": 20_000, "bytes": 1000, "sample": nasty},
        "tokenizer": {"vocab_size": 4096, "pieces": ["The", " light", nasty]},
        "data": {"train": 5_000_000, "val": 100_000},
        "pretrain": {"prompt": "One morning", "sample": "One morning " + nasty},
        "spam": {},
        "instruct": {},
        "dpo": {},
        "evaluate": {
            "runs": {
                run: {
                    "perplexity": {"perplexity": perplexity, "bits_per_byte": 0.4},
                    "exact_match": {"accuracy": share, "stderr": 0.01, "ended": 0.9},
                }
                for run, (share, perplexity) in scores.items()
            },
            "comparison": {
                "tasks": {
                    "exact_match": {
                        "exact_match": {
                            "instruct": {"difference": 0.25, "low": 0.2, "high": 0.3, "units": 600, "unit": "rows"}
                        }
                    }
                }
            },
            "kinds": {nasty: {"rows": 3, "right": dict.fromkeys(scores, 0.5)}},
            "answers": [{**row, "right": right}],
            "preferences": [row],
        },
        "report": {},
    }
    return {
        name: {"title": name, "command": f"tuppence {name} {nasty}", "seconds": 10.0, "dollars": 0.01, "numbers": one}
        for name, one in numbers.items()
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, make_run: Any, nasty: str) -> Path:
    root: Path = tmp_path_factory.mktemp("life")
    for name in RUNS:
        make_run(root / name, steps=100)
        (root / name / "report.html").write_text("")
    with (root / "dpo" / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({"step": 100, "val_rewards/accuracies": 0.81, "val_rewards/margins": 0.5}) + "\n")
    intervals = {"accuracy": [0.9, 1.0], "f1": [0.8, 0.95]}
    classes = {
        "accuracy": 0.97,
        "f1": 0.9,
        "f1_of": nasty,
        "intervals": intervals,
        "labels": ["ham", nasty],
        "confusion": [[80, 2], [3, 15]],
        "rows": 100,
        "verdict": "It pays. " + nasty,
        "mistakes": [{"text": nasty, "label": "ham", "predicted": nasty, "probability": 0.9}],
        "baselines": {"majority class": {"accuracy": 0.8, "f1": 0.0, "intervals": intervals}},
    }
    (root / "spam" / "evaluation.json").write_text(json.dumps({"classification": classes}))
    (root / STATE_NAME).write_text(json.dumps({"version": 1, "stages": stages_of(nasty)}))
    return root


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    path = write_quickstart_report(root)
    assert path == root / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_self_contained(page: str, outline: Any) -> None:
    outline(page)
    assert_self_contained(page)


def test_foreign_text_is_shown_as_text(page: str, outline: Any, nasty: str) -> None:
    found = outline(page)
    assert not {"script", "img"} & found.tags
    assert sum(nasty in word for word in found.words) >= 12


@pytest.mark.parametrize(
    "expected",
    [
        "1 min 20 s wall time",  # eight stages of ten seconds; writing the page is not counted
        "$0.08",
        "97.0% spam test accuracy",
        "0.0% tasks exactly right, base",
        "25.0% tasks exactly right, instruction model",
        "81.0% preferences in the right order",
        "8.32",  # ln 4096: the loss before anything is learned
        "✓ plum",
        "+25.0% +20.0% to +30.0% 600 rows",
        "together 1 min 20 s $0.08",
        "tuppence pretrain",
    ],
)
def test_the_page_contains_every_expected_text(expected: str, page: str, outline: Any) -> None:
    assert expected.replace(" ", "") in words(outline, page).replace(" ", "")


def test_the_report_of_every_run_is_linked(page: str) -> None:
    assert re.findall(r'href="([^"#]+)"', page) == [f"{run}/report.html" for run in RUNS]


def test_every_training_stage_has_figures(page: str) -> None:
    labels = " ".join(re.findall(r'aria-label="([^"]+)"', page))
    for expected in ("Loss of pretraining", "Model and baselines", "Confusion", "kind of task", "margin", "Wall time"):
        assert expected in labels


@pytest.mark.parametrize("stage", [*RUNS, "stories", "tokenizer", "data", "evaluate"])
def test_a_stage_that_was_skipped_is_not_on_the_page(stage: str, root: Path, nasty: str, outline: Any) -> None:
    stages = {name: one for name, one in stages_of(nasty).items() if name != stage}
    runs = {name: read_run(root / name) for name in RUNS if name != stage}
    life = QuickstartData(root, LifeState(stages), runs)
    assert f"tuppence {stage} " not in words(outline, render_quickstart_report(life))


@pytest.mark.parametrize(
    "value", [None, 3, "x", [1], {"runs": 1, "kinds": {"a": 1}, "answers": [1], "preferences": {}}]
)
def test_numbers_of_the_wrong_type_are_left_out_of_the_page(value: Any, root: Path, nasty: str, outline: Any) -> None:
    stages = {name: {**one, "numbers": value} for name, one in stages_of(nasty).items()}
    (root / "odd").mkdir(exist_ok=True)
    (root / "odd" / STATE_NAME).write_text(json.dumps({"version": 1, "stages": stages}))
    runs = {name: read_run(root / name) for name in RUNS}
    life = QuickstartData(root, LifeState.read(root / "odd"), runs)
    assert "The life of a small model" in words(outline, render_quickstart_report(life))


def test_a_folder_without_a_quickstart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a quickstart with a finished stage"):
        write_quickstart_report(tmp_path)
    assert list(tmp_path.iterdir()) == []

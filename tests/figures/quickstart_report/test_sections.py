"""The sections hold what the runs and story.json hold, and are absent where a stage was skipped."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.figures.conftest import make_numbers

from tuppence.figures.quickstart_report import sections
from tuppence.figures.quickstart_report.data import LifeState, QuickstartData
from tuppence.figures.quickstart_report.sections import LONGEST_ANSWER, answers
from tuppence.figures.run_data import RunData

Section = Callable[[QuickstartData], Any]
METRICS = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "val_loss": 2.5}]


def life(numbers: dict[str, dict[str, Any]], root: Path = Path("nowhere"), **runs: RunData) -> QuickstartData:
    stages = {name: {"command": f"do {name}", "seconds": 1.5, "numbers": one} for name, one in numbers.items()}
    return QuickstartData(root, LifeState(stages), runs)


@pytest.mark.parametrize(
    "section",
    [
        sections.data,
        sections.pretraining,
        sections.spam,
        sections.instructions,
        sections.preferences,
        sections.evaluation,
    ],
    ids=lambda section: section.__name__,
)
def test_a_stage_that_was_skipped_has_no_section_even_where_there_is_a_run(section: Section) -> None:
    runs = {name: RunData(Path(name), metrics=METRICS) for name in ("pretrain", "spam", "instruct", "dpo")}
    assert section(life({}, **runs)) is None


def test_a_section_has_the_commands_of_its_stages_and_their_total_time() -> None:
    found = sections.data(life({"data": {}, "stories": {"bytes": 3}}))
    assert found is not None
    assert (found["commands"], found["seconds"]) == ("do stories\ndo data", 3.0)


def test_the_report_of_a_run_is_linked_if_there_is_one(tmp_path: Path) -> None:
    told = life({"dpo": {}}, tmp_path, dpo=RunData(tmp_path / "dpo"))
    assert sections.preferences(told)["report"] is None  # type: ignore[index]
    (tmp_path / "dpo").mkdir()
    (tmp_path / "dpo" / "report.html").write_text("")
    assert sections.preferences(told)["report"] == "dpo/report.html"  # type: ignore[index]


def test_the_data_section_has_counts() -> None:
    told = life({"stories": {"stories": 20_000}, "tokenizer": {"pieces": ["The", " lamp"]}, "data": {"train": 5e6}})
    facts = sections.data(told)["facts"]  # type: ignore[index]
    assert {name: value for name, value in facts.items() if value is not None} == {
        "stories": "20,000",
        "tokens to train on": "5,000,000",
        "tokens of a sentence": "The |  lamp",
    }


def test_pretraining_is_compared_with_a_uniform_guess_among_all_tokens() -> None:
    meta = {"config": {"model": {"vocab_size": 512}}, "result": {"best_val_loss": 2.5}}
    numbers = {"prompt": "One morning", "sample": "One morning it rained."}
    last = [{"step": 2, "prompt": "One morning", "text": "One morning it rained."}]
    run = RunData(Path("pretrain"), meta=meta, metrics=METRICS, samples=last)
    found = sections.pretraining(life({"pretrain": numbers}, pretrain=run))
    assert found is not None
    assert found["before_and_after"] == [
        ("validation loss, nats per token", f"{math.log(512):.2f}", "2.500"),
        ("perplexity", "512", f"{math.exp(2.5):.2f}"),
    ]
    assert found["sample"] == ("One morning", " it rained.")
    assert found["early"] is None, "the only sample is the last one"


def test_pretraining_shows_the_first_sample_and_the_last() -> None:
    samples = [{"step": 50, "prompt": "One", "text": "One one one"}, {"step": 99, "prompt": "One", "text": "One day."}]
    run = RunData(Path("pretrain"), metrics=METRICS, samples=samples)
    found = sections.pretraining(life({"pretrain": {"prompt": "One", "sample": "One night."}}, pretrain=run))
    assert found is not None
    assert (found["early"], found["sample"]) == ((50, "One", " one one"), ("One", " night."))


def test_spam_is_compared_with_the_baselines_and_shows_three_mistakes() -> None:
    numbers = make_numbers()
    numbers["mistakes"] = [{**numbers["mistakes"][0], "text": f"text {number}"} for number in range(5)]
    run = RunData(Path("spam"), metrics=METRICS, evaluation={"classification": numbers})
    found = sections.spam(life({"spam": {}}, spam=run))
    assert found is not None
    assert found["scores"] == [
        ("language model, after", "97.0%", "96.0%"),
        ("majority class", "50.0%", "49.0%"),
        ("TF-IDF + logistic regression", "95.0%", "94.0%"),
    ]
    assert found["mistakes"] == [(f"text {number}", "spam", "ham", "93.0%") for number in range(3)]


def test_the_section_has_the_size_of_the_adapter() -> None:
    run = RunData(Path("instruct"), meta={"trained_parameters": 12_345, "parameters": 2_000_000})
    found = sections.instructions(life({"instruct": {}}, instruct=run))
    assert found is not None
    assert found["adapter"] == "12,345 of 2,000,000 parameters were trained"


def test_models_have_their_names_in_the_figures_of_answers() -> None:
    kinds = {"spell": {"rows": 5, "right": {"pretrain": 0.0, "dpo": 0.2, "other": 1.0}}}
    scores = {"pretrain": {"exact_match": {"accuracy": 0.1, "stderr": None}}}
    run = RunData(Path("instruct"))
    told = life({"instruct": {}, "evaluate": {"kinds": kinds, "runs": scores}}, instruct=run)
    found = sections.instructions(told)
    assert found is not None
    assert all(name in found["by_kind"]["wide"] for name in ("base", "DPO model", "other"))
    assert "base" in found["figures"][1]


@pytest.mark.parametrize("kinds", [{}, {"spell": 3}, {"spell": {"rows": 5, "right": {"pretrain": "many"}}}])
def test_edited_shares_are_not_drawn(kinds: Any) -> None:
    told = life({"instruct": {}, "evaluate": {"kinds": kinds}}, instruct=RunData(Path("instruct")))
    assert sections.instructions(told)["by_kind"] is None  # type: ignore[index]


def test_preferences_are_compared_with_the_values_at_step_0() -> None:
    metrics = [
        {"step": 1, "val_loss": 0.69, "val_rewards/accuracies": 0.5, "val_rewards/margins": 0.01},
        {"step": 2, "val_loss": 0.5, "val_rewards/accuracies": 0.8},
    ]
    found = sections.preferences(life({"dpo": {}}, dpo=RunData(Path("dpo"), metrics=metrics)))
    assert found is not None
    assert found["before_and_after"] == [
        ("pairs in the right order", "50 %, by chance", "80.0%"),
        ("reward margin, nats", "0 by definition", "0.010"),
        ("loss", f"{math.log(2):.3f}, which is ln 2", "0.500"),
    ]


def test_models_are_side_by_side_and_a_missing_number_is_none() -> None:
    runs = {"pretrain": {"perplexity": {"perplexity": 3.0}}, "dpo": {"exact_match": {"accuracy": 0.25, "ended": 1.0}}}
    difference = {"low": -0.02, "high": 0.3, "difference": 0.25, "units": 1600, "unit": "rows"}
    tasks = {"exact_match": {"exact_match": {"instruct": None, "dpo": difference}}}
    found = sections.evaluation(life({"evaluate": {"runs": runs, "comparison": {"tasks": tasks}}}))
    assert found is not None
    assert found["models"] == ["base", "DPO model"]
    assert found["rows"] == [
        ("perplexity of held-out stories", "3.00", None),
        ("tasks exactly right", None, "25.0%"),
        ("answers ended by the model", None, "100.0%"),
    ]
    assert found["differences"] == [("exact match, DPO model", "+25.0%", "-2.0% to +30.0%", "1,600 rows")]


def row(prompt: str, **right: bool) -> dict[str, Any]:
    said = {"pretrain": "rain\n  rain", "instruct": "plum", "brand-new": "x" * (LONGEST_ANSWER + 1)}
    return {"prompt": prompt, "reference": "plum", "answers": said, "right": right}


def test_answers_are_below_the_names_of_the_models_and_right_ones_are_marked() -> None:
    long = "x" * (LONGEST_ANSWER - 1) + "…"
    assert answers([row("Name a fruit.", instruct=True, pretrain=False), row("<b>")], "what people liked") == {
        "columns": ("prompt", "base", "instruction model", "brand-new", "what people liked"),
        "rows": [("Name a fruit.", "rain rain", "✓ plum", long, "plum"), ("<b>", "rain rain", "plum", long, "plum")],
    }


@pytest.mark.parametrize("rows", [None, [], {}, "", 3])
def test_without_answers_there_is_no_table(rows: Any) -> None:
    assert answers(rows) is None


def test_rows_before_an_edited_one_are_shown() -> None:
    assert len(answers([row("one"), row("two"), {"prompt": "three"}, row("four")])["rows"]) == 2  # type: ignore[index]
    assert answers([{"prompt": "one"}])["rows"] == []  # type: ignore[index]

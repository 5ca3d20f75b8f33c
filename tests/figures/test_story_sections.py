"""The sections of a story say what the runs and story.json hold, and nothing where a stage was skipped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.figures.conftest import make_numbers, table_rows

from tuppence.figures import story_sections as sections
from tuppence.figures.record import RunRecord
from tuppence.figures.story_record import Story

Section = Callable[[Story], Iterator[str]]
METRICS = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "val_loss": 2.5}]


def story(numbers: dict[str, dict[str, Any]], **runs: RunRecord) -> Story:
    stages = {name: {"command": f"do {name}", "seconds": 1.0, "numbers": one} for name, one in numbers.items()}
    return Story(Path("nowhere"), stages, runs)


def tables(section: Section, told: Story) -> list[list[str]]:
    """The rows of all tables of a section that stand beside no picture."""
    return [row for piece in section(told) if "<svg" not in piece for row in table_rows(piece)]


@pytest.mark.parametrize(
    "section",
    [sections.data, sections.pretraining, sections.spam, sections.instructions, sections.preferences],
    ids=lambda section: section.__name__,
)
def test_a_stage_that_was_skipped_has_no_section_even_where_a_run_stands(section: Section) -> None:
    runs = {name: RunRecord(Path(name), metrics=METRICS) for name in ("pretrain", "spam", "instruct", "dpo")}
    assert "".join(section(story({}, **runs))) == ""
    assert "".join(sections.evaluation(story({}, **runs))) == ""


def test_the_data_are_told_in_counts_and_unknown_ones_are_left_out() -> None:
    told = story({"stories": {"stories": 20_000}, "tokenizer": {"pieces": ["The", " lamp"]}, "data": {"train": 5e6}})
    assert tables(sections.data, told) == [
        ["stories", "20,000"],
        ["tokens to train on", "5,000,000"],
        ["how text is cut", "The |  lamp"],
    ]


def test_pretraining_starts_at_the_loss_of_a_guess_among_all_tokens() -> None:
    meta = {"config": {"model": {"vocab_size": 512}}, "result": {"best_val_loss": 2.5}}
    numbers = {"prompt": "One morning", "sample": "One morning it rained."}
    only = [{"step": 2, "prompt": "One morning", "text": "One morning it rained."}]  # of the end itself
    run = RunRecord(Path("pretrain"), meta=meta, metrics=METRICS, samples=only)
    told = story({"pretrain": numbers}, pretrain=run)
    assert tables(sections.pretraining, told)[1:] == [
        ["validation loss, nats per token", f"{math.log(512):.2f}", "2.500"],
        ["perplexity", "512", f"{math.exp(2.5):.2f}"],
    ]
    page = "".join(sections.pretraining(told))
    assert "<mark>One morning</mark> it rained." in page
    assert "at step" not in page


def test_what_it_wrote_early_stands_before_what_it_wrote_at_the_end() -> None:
    samples = [{"step": 50, "prompt": "One", "text": "One one one"}, {"step": 99, "prompt": "One", "text": "One day."}]
    run = RunRecord(Path("pretrain"), metrics=METRICS, samples=samples)
    page = "".join(sections.pretraining(story({"pretrain": {"prompt": "One", "sample": "One night."}}, pretrain=run)))
    assert page.index("at step 50") < page.index("<mark>One</mark> one one") < page.index("<mark>One</mark> night.")


def test_spam_is_told_beside_the_baselines_with_its_three_surest_mistakes() -> None:
    numbers = make_numbers()
    numbers["mistakes"] = [{**numbers["mistakes"][0], "text": f"text {number}"} for number in range(5)]
    run = RunRecord(Path("spam"), metrics=METRICS, evaluation={"classification": numbers})
    assert tables(sections.spam, story({"spam": {}}, spam=run)) == [
        ["", "accuracy", "F1, spam"],
        ["language model, after", "97.0%", "96.0%"],
        ["majority class", "50.0%", "49.0%"],
        ["TF-IDF + logistic regression", "95.0%", "94.0%"],
        ["message", "is", "was taken for", "probability"],
        *([f"text {number}", "spam", "ham", "93.0%"] for number in range(3)),
    ]


def test_of_an_adapter_it_is_said_how_little_was_trained() -> None:
    meta = {"trained_parameters": 12_345, "parameters": 2_000_000}
    page = "".join(sections.instructions(story({"instruct": {}}, instruct=RunRecord(Path("instruct"), meta=meta))))
    assert "12,345 of 2,000,000 parameters were trained" in page


def test_preferences_begin_at_a_coin_s_half_no_margin_and_ln_2() -> None:
    metrics = [
        {"step": 1, "val_loss": 0.69, "val_rewards/accuracies": 0.5, "val_rewards/margins": 0.01},
        {"step": 2, "val_loss": 0.5, "val_rewards/accuracies": 0.8},
    ]
    told = story({"dpo": {}}, dpo=RunRecord(Path("dpo"), metrics=metrics))
    assert tables(sections.preferences, told)[1:] == [
        ["pairs in the right order", "a coin's 50 %", "80.0%"],
        ["reward margin, nats", "0 by definition", "0.010"],
        ["loss", f"{math.log(2):.3f}, which is ln 2", "0.500"],
    ]


def test_models_stand_side_by_side_and_a_number_that_one_lacks_is_an_empty_cell() -> None:
    runs = {"pretrain": {"perplexity": {"perplexity": 3.0}}, "dpo": {"exact_match": {"accuracy": 0.25, "ended": 1.0}}}
    found = {"low": -0.02, "high": 0.3, "difference": 0.25, "units": 1600, "unit": "rows"}
    tasks = {"exact_match": {"exact_match": {"instruct": None, "dpo": found}}}
    told = story({"evaluate": {"runs": runs, "comparison": {"tasks": tasks}}})
    assert tables(sections.evaluation, told) == [
        ["", "base", "DPO model"],
        ["perplexity of held-out stories", "3.00", ""],
        ["tasks exactly right", "", "25.0%"],
        ["answers ended by the model", "", "100.0%"],
        ["", "difference", "95 % interval", "over"],
        ["exact match, DPO model", "+25.0%", "-2.0% to +30.0%", "1,600 rows"],
    ]

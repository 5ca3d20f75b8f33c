"""The answer in a table, a sentence, JSON and HTML."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tuppence.cost.answer import Plan
from tuppence.tasks.planning import plan

DAY = datetime.date(2026, 11, 28)


def hundred() -> Plan:
    return plan(budget=100, today=DAY)


def test_a_hundred_dollars_buy_what_the_collected_facts_say() -> None:
    """On one H100: about 12.5 hours, gpt2-355m on 7 to 9 billion tokens, a loss of 3.08 to 3.12."""
    best = hundred().best
    assert best is not None
    assert (best.machine.name, best.size.name) == ("ml.p5.4xlarge", "gpt2-355m")
    assert 11 < best.hours < 13.5
    assert 6.5e9 < best.tokens < 9e9
    assert best.loss is not None
    assert 3.05 < best.loss < 3.15
    assert 99 < best.dollars <= 100


def test_the_recommendation_is_one_sentence_with_its_numbers() -> None:
    said = hundred().recommendation
    assert said.count(". ") == 0
    assert said.endswith(".")
    for part in ("$100.00", "gpt2-355m", "ml.p5.4xlarge", "speed published", "on spot", "expected loss 3.09 ± 0.1"):
        assert part in said


def test_among_equal_losses_the_better_known_speed_is_recommended_and_the_rule_is_told() -> None:
    answer = plan(budget=60, on=["ml.g6e.xlarge", "ml.p5.4xlarge"], today=DAY)
    assumed, published = answer.rows
    assert assumed.loss is not None
    assert published.loss is not None
    near = replace(published, loss=assumed.loss + 0.015)
    answer = Plan(answer.question, (assumed, near), DAY)
    assert answer.best == near
    assert f"; ml.g6e.xlarge may reach a loss of {assumed.loss:.2f}, but its speed is assumed." in answer.recommendation
    assert "within 0.02 nats of it, the one whose speed is better known" in answer.rule
    assert answer.rule in " ".join(str(answer).split())
    far = replace(published, loss=assumed.loss + 0.025)
    assert Plan(answer.question, (assumed, far), DAY).best == assumed


def test_rows_without_a_loss_are_compared_by_computation() -> None:
    answer = plan(budget=5, today=DAY)
    best = answer.best
    assert best is not None
    assert best.loss is None
    usable = [row for row in answer.rows if row.refused is None]
    assert best.operations >= 0.9 * max(row.operations for row in usable)
    assert "the most computation" in answer.rule
    slow = replace(best, speed=replace(best.speed, basis="published"), tokens=0.95 * best.tokens)
    with_known = Plan(answer.question, (best, slow), DAY)
    assert with_known.best == slow
    assert f"; {best.machine.name} may reach 5% more computation" in with_known.recommendation
    assert Plan(answer.question, (best, replace(slow, tokens=0.85 * best.tokens)), DAY).best == best


def test_the_recommendation_does_not_jump_with_the_budget() -> None:
    """From one dollar to a thousand, a larger budget never buys less computation or a higher loss."""
    before = None
    for step in range(40):
        best = plan(budget=1.2**step, today=DAY).best
        assert best is not None
        if before is not None:
            assert best.operations > 0.9 * before.operations
            assert before.loss is None or (best.loss is not None and best.loss < before.loss + 0.02)
        before = best
    assert before is not None
    assert before.loss is not None


def test_without_a_budget_the_cheapest_is_recommended_and_the_fastest_named() -> None:
    answer = plan("gpt2-124m", "10B", on=["ml.p5.48xlarge", "ml.g6e.xlarge"], today=DAY)
    assert answer.recommendation.startswith("gpt2-124m on 10B tokens is cheapest on ml.g6e.xlarge")
    assert "the fastest is ml.p5.48xlarge" in answer.recommendation
    alone = plan("gpt2-124m", "10B", on=["ml.g6e.xlarge"], today=DAY)
    assert alone.recommendation.startswith("gpt2-124m on 10B tokens: ml.g6e.xlarge in 16")


def test_what_cannot_be_used_is_shown_and_not_recommended() -> None:
    answer = plan("gpt2-124m", on=["ml.p3.2xlarge", "ml.g4dn.xlarge"], today=DAY)
    assert answer.best is answer.rows[1]
    assert "cannot run our image" in str(answer)
    only = plan("gpt2-124m", on=["ml.p3.2xlarge"], today=DAY)
    assert (only.best, only.lines()) == (None, None)
    assert only.recommendation == (
        "None of these machines can do it: cannot run our image"
        " (give other machines with --on, for example --on ml.g5.xlarge)."
    )
    assert "None of these machines" in only._repr_html_()


@pytest.mark.parametrize(
    ("asked", "reason", "hint"),
    [
        (
            {"budget": 0.01},
            "the budget ends before the first step",
            r"the first step costs \$0\.08 on ml\.g4dn\.xlarge",
        ),
        ({"model": "gpt2-1558m", "on": ["ml.g4dn.xlarge"]}, "one sequence needs 29.3 GiB of 14.5", "smaller model"),
        ({"model": "gpt2-1558m", "tokens": "10B", "budget": 30}, "over the budget", r"give at least \$576\.01"),
        ({"model": "gpt2-1558m", "tokens": "10T"}, "longer than 28 days", "fewer tokens"),
        ({"model": "gpt2-124m", "on": ["ml.p3.2xlarge"]}, "cannot run our image", "other machines"),
    ],
)
def test_if_nothing_can_do_it_the_reason_and_the_way_out_are_told(
    asked: dict[str, Any], reason: str, hint: str
) -> None:
    answer = plan(**asked, today=DAY)
    message, advice = answer.refusal
    assert reason in message
    assert re.search(hint, advice)
    for row in answer.as_dict()["rows"]:
        assert row["refused"]
        for name in ("hours", "usd", "spot_usd", "tokens_per_second", "lines", "loss", "memory_gib", "operations"):
            assert row[name] is None, name


def test_what_the_hint_promises_is_enough() -> None:
    """The least budget that a refusal names buys a first step."""
    advice = plan(budget=0.01, today=DAY).refusal[1]
    least = float(re.findall(r"\$([\d.]+)", advice)[0])
    assert plan(budget=least, today=DAY).best is not None
    advice = plan("gpt2-1558m", "10B", budget=30, today=DAY).refusal[1]
    least = float(re.findall(r"\$([\d.]+)", advice)[0])
    assert plan("gpt2-1558m", "10B", budget=least, today=DAY).best is not None


def test_a_refused_row_shows_no_figures() -> None:
    answer = plan(budget=1, today=DAY)
    refused = [row for row in answer.as_dict()["rows"] if row["refused"]]
    assert {row["where"] for row in refused} == {"ml.p4d.24xlarge", "ml.p5.48xlarge"}
    known = {"where", "device", "devices", "price", "fits", "refused"}
    for row in refused:
        assert {name for name, value in row.items() if value is not None} == known
    usable = next(row for row in answer.as_dict()["rows"] if not row["refused"])
    assert usable.keys() == refused[0].keys()
    shown = answer.table()
    index = shown.column("where").index("ml.p5.48xlarge")
    assert set(list(shown[index].values())[2:]) == {"–"}


def test_what_was_asked_is_shown_in_a_refused_row_too() -> None:
    (row,) = plan("gpt2-1558m", "1B", on=["ml.g4dn.xlarge"], today=DAY).as_dict()["rows"]
    assert (row["model"], row["tokens"], row["fits"]) == ("gpt2-1558m", 1e9, False)


def test_a_small_model_on_a_gpu_is_shown_as_a_bound() -> None:
    by_tokens = plan("tiny", "100M", on=["ml.p5.4xlarge"], today=DAY)
    row = by_tokens.table()[0]
    assert (row["tokens/s"][0], row["hours"][0], row["on demand"][0], row["speed"]) == ("≤", "≥", "≥", "assumed")
    assert "(speed assumed, at best)" in by_tokens.recommendation
    assert "nobody published their speed" in str(by_tokens)
    by_budget = plan("tiny", budget=5, on=["ml.p5.4xlarge"], today=DAY).table()[0]
    assert (by_budget["hours"][0].isdigit(), by_budget["on demand"][0]) == (True, "$")
    large = plan("gpt2-124m", "1B", on=["ml.p5.4xlarge"], today=DAY)
    assert "≤" not in str(large)
    assert large.as_dict()["rows"][0]["at_best"] is False


def test_a_save_that_ends_after_sigkill_is_told() -> None:
    late = plan("gpt2-1558m", "10B", on=["ml.p5.48xlarge", "ml.p5.4xlarge"], today=DAY)
    note = (
        "has 18.7 GB: saving it takes 125 s at 150 MB/s (assumed), longer than the 120 s between SIGTERM and SIGKILL."
    )
    assert " ".join(str(late).split()).count(note) == 1
    assert late.as_dict()["rows"][0]["saves_in_time"] is False
    fast = plan("gpt2-1558m", "10B", on=["ml.p5.48xlarge"], save_mb_per_second=400, today=DAY)
    assert "SIGKILL" not in str(fast)
    assert "at 400 MB/s, measured" in str(fast)
    assert "SIGKILL" not in str(plan("gpt2-774m", "10B", on=["ml.p5.48xlarge"], today=DAY))


def test_the_age_of_prices_is_shown() -> None:
    assert "Prices of 2026-09-27 in us-east-1, 62 days old." in str(hundred())
    assert "too old to trust" in str(plan(budget=100, today=datetime.date(2027, 9, 1)))


def test_every_line_of_the_recommended_machine_is_shown() -> None:
    best = hundred().best
    assert best is not None
    shown = str(hundred())
    for name in ("lead", "compile", "training", "evaluation", "saves", "storage", "interruptions", "total"):
        assert f"\n{name} " in shown
    training = next(line for line in best.lines if line.name == "training")
    assert f"${training.dollars:,.2f}" in shown
    assert f"${training.dollars / 2:,.2f}" in shown


@pytest.mark.parametrize("width", [30, 40, 60, 64, 72, 80, 100, 122])
def test_no_line_is_cut_in_a_narrow_terminal(width: int) -> None:
    for answer in (hundred(), plan(budget=5, today=DAY), plan("tiny", "100M", today=DAY)):
        shown = answer.text(width)
        assert max(len(line) for line in shown.splitlines()[:-1]) <= width
        assert "…" not in shown
        for row in answer.rows:
            assert row.machine.name in shown
            assert row.refused or f"${row.dollars:,.2f}" in shown


def test_60_columns_are_enough_for_a_table() -> None:
    lines = hundred().text(60).splitlines()
    assert lines[2].split() == ["where", "model", "tokens", "hours", "on", "demand", "loss"]
    assert "lead" in next(line for line in lines if "image, data" in line)


def test_json_has_everything() -> None:
    answer = json.loads(json.dumps(hundred().as_dict()))
    assert answer["best"] == "ml.p5.4xlarge"
    row = next(row for row in answer["rows"] if row["where"] == answer["best"])
    assert row["price"]["date"] == "2026-09-27"
    assert row["price"]["age_days"] == 62
    assert row["speed"]["basis"] == "published"
    assert [line["name"] for line in row["lines"]] == [
        *("lead", "compile", "training", "evaluation", "saves", "storage")
    ]
    assert sum(line["dollars"] for line in row["lines"]) == row["usd"]


def test_a_loss_without_a_law_is_not_printed() -> None:
    answer = plan("tiny", "100M", on=["ml.g5.xlarge"], today=DAY)
    assert answer.rows[0].loss is None
    assert "no law below 44M parameters" in str(answer)
    assert "expected loss" not in answer.recommendation
    assert answer.recommendation.endswith(", no law below 44M parameters.")
    assert "nats" not in str(answer)


def test_it_shows_itself_in_a_notebook() -> None:
    shown = hundred()._repr_html_()
    assert shown.count("<table>") == 2
    assert hundred().recommendation in shown


def test_a_small_budget_buys_a_model_that_suits_its_tokens() -> None:
    """Where the law says nothing, the preset is the one with about 20 tokens for each parameter."""
    answer = plan(budget=1, today=DAY)
    assert answer.best is not None
    assert answer.best.loss is None
    for row in answer.rows:
        if row.refused is None:
            assert 2 < row.tokens / row.size.parameters < 200
    assert answer.best.dollars <= 1
    nothing = plan(budget=0.01, today=DAY)
    assert nothing.best is None
    assert nothing.recommendation.startswith(
        "None of these machines can do it: the budget ends before the first step ("
    )
    assert str(nothing).startswith("What $0.01 buys\n")


def test_with_a_budget_and_no_law_the_most_computation_is_recommended() -> None:
    answer = plan("nano", budget=5, today=DAY)
    assert answer.best is not None
    assert answer.best.tokens == max(row.tokens for row in answer.rows)

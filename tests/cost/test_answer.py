"""The answer in a table, a sentence, JSON and HTML."""

from __future__ import annotations

import datetime
import json

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
    for part in ("$100.00", "gpt2-355m", "ml.p5.4xlarge", "speed published", "on spot", "expected loss 3.11 ± 0.1"):
        assert part in said


def test_among_equal_losses_the_better_known_speed_is_recommended() -> None:
    assumed, published = (plan(budget=100, on=[name], today=DAY).rows[0] for name in ("ml.g6e.xlarge", "ml.p5.4xlarge"))
    assert assumed.loss is not None
    assert published.loss is not None
    assert 0 < published.loss - assumed.loss < 0.02
    assert hundred().best == published


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
    assert only.recommendation == "None of these machines can do it: cannot run our image."
    assert "None of these machines" in only._repr_html_()


def test_the_age_of_prices_is_shown() -> None:
    assert "Prices of 2026-09-27 in us-east-1, 62 days old." in str(hundred())
    assert "too old to trust" in str(plan(budget=100, today=datetime.date(2027, 9, 1)))


def test_every_line_of_the_recommended_machine_is_shown() -> None:
    best = hundred().best
    assert best is not None
    shown = str(hundred())
    for name in ("lead", "compile", "training", "evaluation", "saves", "storage", "interruptions", "total"):
        assert f"\n {name} " in shown
    training = next(line for line in best.lines if line.name == "training")
    assert f"${training.dollars:,.2f}" in shown
    assert f"${training.dollars / 2:,.2f}" in shown


def test_a_narrow_terminal_shows_fewer_columns() -> None:
    wide, narrow = hundred().text(122), hundred().text(80)
    assert max(len(line) for line in wide.splitlines()[:-1]) <= 122
    assert max(len(line) for line in narrow.splitlines()[:-1]) <= 80
    assert "…" not in wide + narrow
    assert "on demand" in narrow


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
    assert nothing.recommendation == "None of these machines can do it: the budget ends before the first step."


def test_with_a_budget_and_no_law_the_most_computation_is_recommended() -> None:
    answer = plan("nano", budget=5, today=DAY)
    assert answer.best is not None
    assert answer.best.tokens == max(row.tokens for row in answer.rows)

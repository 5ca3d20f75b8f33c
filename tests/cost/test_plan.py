"""The arithmetic of a plan: its lines, its budget, its choice."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.hardware import Speed
from tuppence.cost.law import FINEWEB
from tuppence.cost.plan import (
    HOURS_BETWEEN_INTERRUPTIONS,
    Machine,
    Question,
    rhythm_of,
    row_of,
    rows_of,
    tokens_for,
)
from tuppence.cost.rates import Price
from tuppence.tasks.planning import machine_of, size_of

SMALL, MEDIUM = size_of("gpt2-124m"), size_of("gpt2-355m")
PRICE = Price("SageMaker", "training", "ml.x", 3.6, "hour", "us-east-1", "a test", datetime.date(2026, 1, 1))
# a dollar is 1,000 seconds, and a second 100,000 tokens of the small model
MACHINE = Machine("ml.x", "X", 1, 80.0, Speed(1e5 * SMALL.flops_per_token, "published", "a test"), PRICE)


def test_training_time_is_tokens_over_speed() -> None:
    row = row_of(SMALL, 1e9, MACHINE)
    seconds = {line.name: line.seconds for line in row.lines}
    assert row.tokens_per_second == pytest.approx(1e5)
    assert seconds["training"] == pytest.approx(1e4)
    assert (seconds["lead"], seconds["compile"]) == (300, 60)
    # 1e9 / 524,288 steps, an evaluation every 500 and one at the end, at three times the speed of training
    assert seconds["evaluation"] == pytest.approx((1e9 / 524_288 / 500 + 1) * 2**20 / 3e5)
    # a checkpoint of 12 bytes a parameter every ten minutes and one at the end, at 150 MB/s
    assert seconds["saves"] == pytest.approx((1e4 / 600 + 1) * 12 * SMALL.parameters / 150e6)


def test_dollars_are_hours_times_the_rate_and_storage() -> None:
    row = row_of(SMALL, 1e9, MACHINE)
    storage = (3 * 12 * SMALL.parameters + 2 * 1e9) / 1e9 * 0.023
    assert row.dollars == pytest.approx(row.hours * 3.6 + storage)
    assert {line.name: line.dollars for line in row.lines}["storage"] == pytest.approx(storage)


def test_spot_is_half_the_price_and_pays_interruptions_again() -> None:
    row = row_of(SMALL, 1e9, MACHINE)
    again = row.hours / HOURS_BETWEEN_INTERRUPTIONS * (300 + 60 + 300) / 3600
    assert row.spot_hours == pytest.approx(row.hours + again)
    storage = row.lines[-1].dollars
    assert row.spot_dollars == pytest.approx((row.hours + again) * 1.8 + storage)


def test_a_budget_is_spent_and_not_passed() -> None:
    for budget in (1.0, 10.0, 100.0):
        tokens = tokens_for(SMALL, MACHINE, budget)
        assert row_of(SMALL, tokens, MACHINE).dollars <= budget
        assert row_of(SMALL, 1.011 * tokens, MACHINE).dollars > budget


def test_a_budget_below_the_lead_buys_nothing() -> None:
    assert tokens_for(SMALL, MACHINE, 0.3) == 0


def test_tokens_that_cost_more_than_the_budget_are_refused() -> None:
    (row,) = rows_of(Question((SMALL,), tokens=1e10, budget_usd=50.0), [MACHINE])
    assert row_of(SMALL, 1e10, MACHINE).dollars > 50
    assert row.refused is not None
    assert row.refused.startswith("over the budget: $")
    (row,) = rows_of(Question((SMALL,), tokens=1e9, budget_usd=50.0), [MACHINE])
    assert row.refused is None


def test_a_job_of_more_than_28_days_is_refused() -> None:
    seconds = 28 * 24 * 3600
    for share, refused in ((0.9, False), (1.1, True)):
        (row,) = rows_of(Question((SMALL,), tokens=share * seconds * 1e5), [MACHINE])
        assert (row.refused is not None) is refused, row.refused


def test_a_budget_needs_a_machine_that_costs_something() -> None:
    with pytest.raises(InputError, match="costs nothing"):
        tokens_for(SMALL, replace(MACHINE, price=None), 5)


def test_the_model_with_the_lowest_loss_is_chosen() -> None:
    sizes = tuple(size_of(name) for name in ("gpt2-124m", "gpt2-355m", "gpt2-774m", "gpt2-1558m"))
    for budget in (20.0, 100.0, 2000.0):
        (row,) = rows_of(Question(sizes, budget_usd=budget), [MACHINE])
        for size in sizes:
            tokens = tokens_for(size, MACHINE, budget)
            if FINEWEB.refusal(size.parameters, tokens) is None:
                assert row.loss is not None
                assert row.loss <= FINEWEB.loss(size.parameters, tokens)


def test_without_a_number_it_is_20_tokens_for_each_parameter() -> None:
    (row,) = rows_of(Question((SMALL,)), [MACHINE])
    assert row.tokens == 20 * SMALL.parameters


def test_a_model_that_does_not_fit_is_refused() -> None:
    row = row_of(size_of("gpt2-1558m"), 1e10, replace(MACHINE, memory_gib=14.5))
    assert row.sequences == 0
    assert row.refused is not None
    assert row.refused.startswith("one sequence needs")
    assert row.refused.endswith("GiB of 14.5")


def test_several_gpus_share_the_work_and_assumed_speeds_lose_some() -> None:
    eight = replace(MACHINE, devices=8)
    assert eight.tokens_per_second(SMALL) == pytest.approx(8e5)
    assumed = replace(eight, speed=replace(MACHINE.speed, basis="assumed"))
    assert assumed.tokens_per_second(SMALL) == pytest.approx(0.85 * 8e5)


def test_a_small_model_has_the_rhythm_of_its_recipe() -> None:
    assert rhythm_of(size_of("tiny")).step_tokens == 16 * 256
    assert rhythm_of(SMALL).step_tokens == 524_288


def test_outside_aws_there_is_no_storage_and_no_spot() -> None:
    row = row_of(SMALL, 1e9, replace(MACHINE, on_aws=False, price=None))
    assert row.dollars == row.spot_dollars == 0
    assert "storage" not in {line.name for line in row.lines}
    assert row.spot_lines == row.lines


CALIBRATION = [
    # model or (parameters, layers, width), tokens, instance, hours, source
    ("gpt2-124m", 10.26e9, "p5.48xlarge", 45.6 / 60, "llm.c on 8 H100, modded-nanogpt 2024-10-13_llmc"),
    ("gpt2-124m", 9.89e9, "p4de.24xlarge", 94 / 60, "llm.c on 8 A100 80GB, run_gpt2_124M.sh, discussion 481"),
    ("gpt2-355m", 31.5e9, "p4de.24xlarge", 13.7, "llm.c on 8 A100 80GB, run_gpt2_350M.sh: 820 ms a step"),
    ("gpt2-355m", 31.5e9, "p5.48xlarge", 5.8, "llm.c on 8 H100"),
    ("gpt2-774m", 150e9, "p4de.24xlarge", 135, "llm.c on 8 A100 80GB, run_gpt2_774M.sh: 1.7 s a step, planned"),
    ("gpt2-1558m", 32e9, "p5.48xlarge", 24, "llm.c on 8 H100, run_gpt2_1558M.sh, discussion 677"),
    ("gpt2-1558m", 10.0e9, "p5.48xlarge", 9.6, "modded-nanogpt 2024-10-20_ScaleUp1B, AdamW, 1.70 s a step"),
    ("gpt2-124m", 295e9, "p4d.24xlarge", 600_000 * 0.562 / 3600, "nanoGPT on 8 A100 40GB, README and issue 110"),
    ("gpt2-124m", 10e9, "p4de.24xlarge", 10e9 / 1.5e6 / 3600, "minigpt, PyTorch on 8 A100 80GB: 1.5M tokens/s"),
]


@pytest.mark.parametrize(
    ("model", "tokens", "instance", "hours", "source"), CALIBRATION, ids=[f"{row[0]}, {row[4]}" for row in CALIBRATION]
)
def test_published_runs_are_reproduced_within_the_stated_error(
    model: str, tokens: float, instance: str, hours: float, source: str
) -> None:
    """Published times are of training alone, without evaluation, logging and compilation, so that line is compared."""
    row = row_of(size_of(model), tokens, machine_of(f"ml.{instance}"))
    training = next(line.seconds for line in row.lines if line.name == "training") / 3600
    assert row.machine.speed.basis == "published"
    assert row.refused is None
    assert abs(training / hours - 1) <= row.hours_error


@pytest.mark.parametrize(("instance", "dollars"), [("ml.p5.4xlarge", 48.2), ("ml.p4d.24xlarge", 82)])
def test_the_dollars_of_llm_c_s_run_on_sagemaker(instance: str, dollars: float) -> None:
    """gpt2-124m on 10.26 billion tokens, training alone: published speed times SageMaker's price."""
    row = row_of(SMALL, 10.26e9, machine_of(instance))
    training = next(line.dollars for line in row.lines if line.name == "training")
    assert training == pytest.approx(dollars, rel=0.02)


@pytest.mark.parametrize("numbers", [{"tokens": -1.0}, {"budget_usd": 0.0}, {"tokens": float("nan")}])
def test_a_question_has_sensible_numbers(numbers: dict[str, float]) -> None:
    with pytest.raises(InputError, match="above zero"):
        Question((SMALL,), **numbers)

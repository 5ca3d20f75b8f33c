"""The arithmetic of a plan: its lines, its budget, its choice."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.hardware import Speed
from tuppence.cost.law import FINEWEB
from tuppence.cost.plan import (
    HOURS_BETWEEN_INTERRUPTIONS,
    Line,
    Machine,
    Question,
    least_usd,
    rhythm_of,
    row_of,
    rows_of,
    tokens_for,
)
from tuppence.cost.rates import Price
from tuppence.model.config import PRESETS
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


def test_a_budget_below_the_first_step_buys_nothing() -> None:
    assert tokens_for(SMALL, MACHINE, 0.3) == 0
    least = least_usd(SMALL, MACHINE)
    assert tokens_for(SMALL, MACHINE, 0.999 * least) == 0
    assert tokens_for(SMALL, MACHINE, 1.001 * least) >= 0.99 * rhythm_of(SMALL).step_tokens
    (row,) = rows_of(Question((SMALL,), budget_usd=0.999 * least), [MACHINE])
    assert row.refused == "the budget ends before the first step"


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


def test_a_large_budget_ends_after_28_days_on_sagemaker() -> None:
    """Its dollars are then those of 28 days and of the storage, and not the budget."""
    tokens = tokens_for(SMALL, MACHINE, 1e6)
    row = row_of(SMALL, tokens, MACHINE)
    assert 0.98 * 28 * 24 < row.hours <= 28 * 24
    assert tokens_for(SMALL, MACHINE, 1e9) == tokens
    on_ec2 = replace(MACHINE, name="x")
    assert row_of(SMALL, tokens_for(SMALL, on_ec2, 1e5), on_ec2).dollars > 0.98e5


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


def test_a_model_is_not_preferred_because_the_law_covers_it() -> None:
    """Around the law's floor, a larger budget never chooses a smaller model or less computation."""
    sizes = tuple(size_of(name) for name in PRESETS)
    chosen = []
    for step in range(60):
        (row,) = rows_of(Question(sizes, budget_usd=2.0 * 1.1**step), [MACHINE])
        chosen.append(row)
        ratio = row.tokens / row.size.parameters
        assert 2 < ratio < 200
    assert [row.size.parameters for row in chosen] == sorted(row.size.parameters for row in chosen)
    assert [row.operations for row in chosen] == sorted(row.operations for row in chosen)
    assert {row.loss is None for row in chosen} == {True, False}


def test_a_small_model_on_a_gpu_is_a_bound() -> None:
    tiny, small = (row_of(size_of(name), 1e9, machine_of("ml.p5.4xlarge")) for name in ("tiny", "gpt2-124m"))
    assert (tiny.at_best, tiny.speed.basis, tiny.hours_error) == (True, "assumed", None)
    assert (small.at_best, small.speed.basis, small.hours_error) == (False, "published", 0.25)
    measured = row_of(size_of("tiny"), 1e9, replace(MACHINE, speed=Speed(1e12, "measured", "here")))
    assert (measured.at_best, measured.hours_error) == (False, 0.15)


@pytest.mark.parametrize(
    ("model", "seconds", "in_time"),
    [("gpt2-124m", 10, True), ("gpt2-355m", 28.4, True), ("gpt2-774m", 62, True), ("gpt2-1558m", 125, False)],
)
def test_a_save_of_weights_and_moments_must_end_before_sigkill(model: str, seconds: float, in_time: bool) -> None:
    """12 bytes a parameter at 150 MB/s against the 120 s between SIGTERM and SIGKILL."""
    row = row_of(size_of(model), 1e10, machine_of("ml.p5.48xlarge"))
    assert row.save_seconds == pytest.approx(seconds, rel=0.02)
    assert row.saves_in_time is in_time
    assert replace(row, machine=replace(row.machine, saved_bytes_a_second=1e9)).saves_in_time
    assert replace(row, machine=replace(row.machine, on_aws=False)).saves_in_time  # nobody kills it


def test_storage_has_the_price_of_the_region_or_says_whose_it_is(cache: Path) -> None:
    def storage_line(region: str) -> Line:
        return row_of(SMALL, 1e9, replace(MACHINE, price=replace(PRICE, region=region))).lines[-1]

    home, abroad = storage_line("us-east-1"), storage_line("eu-central-1")
    assert abroad.dollars == home.dollars
    assert "price of" not in home.basis
    assert abroad.basis.endswith("; assumed: the price of us-east-1")
    row = {"service": "S3", "use": "storage", "item": "standard", "usd": 0.046, "unit": "GB-month"}
    cache.mkdir(parents=True)
    row |= {"region": "eu-central-1", "source": "a test", "date": "2026-11-28"}
    (cache / "prices.json").write_text(json.dumps({"prices": [row]}))
    assert storage_line("eu-central-1").dollars == pytest.approx(2 * home.dollars)
    assert "price of" not in storage_line("eu-central-1").basis


def test_without_a_number_it_is_20_tokens_for_each_parameter() -> None:
    (row,) = rows_of(Question((SMALL,)), [MACHINE])
    assert row.tokens == 20 * SMALL.parameters


def test_a_model_that_does_not_fit_is_refused() -> None:
    row = row_of(size_of("gpt2-1558m"), 1e10, replace(MACHINE, memory_gib=14.5))
    assert row.sequences == 0
    assert row.refused is not None
    assert row.refused.startswith("one sequence needs")
    assert row.refused.endswith("GiB of 14.5")


def test_several_gpus_share_the_work_and_lose_some_without_nvlink() -> None:
    eight = replace(MACHINE, devices=8)
    assert eight.tokens_per_second(SMALL) == pytest.approx(8e5)
    for name, share in (("g5.48xlarge", 0.85), ("p4d.24xlarge", 1.0), ("p5en.48xlarge", 1.0)):
        machine = machine_of(f"ml.{name}")
        one = replace(machine, devices=1)
        assert machine.tokens_per_second(SMALL) == pytest.approx(8 * share * one.tokens_per_second(SMALL)), name


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
    assert row.speed.basis == "published"
    assert row.refused is None
    assert row.hours_error is not None
    assert abs(training / hours - 1) <= row.hours_error


@pytest.mark.parametrize(("instance", "dollars"), [("ml.p5.4xlarge", 48.2), ("ml.p4d.24xlarge", 82)])
def test_the_dollars_of_llm_c_s_run_on_sagemaker(instance: str, dollars: float) -> None:
    """gpt2-124m on 10.26 billion tokens, training alone: published speed times SageMaker's price."""
    row = row_of(SMALL, 10.26e9, machine_of(instance))
    training = next(line.dollars for line in row.lines if line.name == "training")
    assert training == pytest.approx(dollars, rel=0.02)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"tokens": -1.0}, "the number of tokens must be above zero, it is -1"),
        ({"budget_usd": 0.0}, "the budget must be above zero, it is 0"),
        ({"tokens": float("nan")}, "above zero, it is nan"),
        ({"budget_usd": 1e30}, "the budget must be below 1,000,000,000,000,000, it is 1e\\+30"),
        ({"tokens": float("inf")}, "must be below 1,000,000,000,000,000, it is inf"),
    ],
)
def test_a_question_has_sensible_numbers(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        Question((SMALL,), **numbers)
    assert refused.value.hint.startswith("give for example")

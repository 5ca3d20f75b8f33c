"""The calculator of the first chapter: its two examples, and what is right beside them."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from tuppence.core.errors import InputError
from tuppence.cost.estimate import Estimate, estimate_aws_cost


def test_the_first_example_of_the_source_course() -> None:
    """GPT-2 small, 10 epochs of 2 hours on a g4dn.xlarge, spot."""
    small = estimate_aws_cost(124, epochs=10, hours_per_epoch=2, instance_type="g4dn.xlarge", use_spot=True)
    assert (small.hours, small.rate) == (20, 0.526)
    assert round(small.compute, 2) == round(small.total, 2) == 3.68
    assert round(small.on_demand, 2) == 10.52
    assert round(small.saved, 2) == 6.84
    assert small.storage == pytest.approx(124 * 0.004 * 0.023 * 20 / 720)


def test_the_second_example_of_the_source_course() -> None:
    """GPT-2 medium, 5 epochs of 4 hours on a g5.xlarge, spot."""
    medium = estimate_aws_cost(355, epochs=5, hours_per_epoch=4, instance_type="g5.xlarge", use_spot=True)
    assert (medium.hours, round(medium.total, 2), round(medium.on_demand, 2)) == (20, 7.04, 20.12)


@pytest.mark.parametrize(("instance", "on_demand", "spot"), [("g4dn.xlarge", 14.73, 7.36), ("g5.xlarge", 28.16, 14.08)])
def test_a_sagemaker_job_costs_more(instance: str, on_demand: float, spot: float) -> None:
    job = estimate_aws_cost(124, 10, 2, instance)
    lead = 300 / 3600 * job.sagemaker.usd
    assert round(job.sagemaker_on_demand - lead, 2) == on_demand
    assert round(job.sagemaker_spot - lead / 2, 2) == spot


def test_without_spot_nothing_is_saved() -> None:
    job = estimate_aws_cost(124, 10, 2, use_spot=False)
    assert (job.compute, job.saved) == (job.on_demand, 0)


def test_checkpoints_cost_money_until_they_are_deleted() -> None:
    """12 bytes a parameter: 1.49 GB each for gpt2-124m."""
    assert estimate_aws_cost(124.4, 1, 1).checkpoints_usd_per_month == pytest.approx(3 * 1.493 * 0.023, rel=1e-3)


def test_the_hours_buy_tokens() -> None:
    """At 15.6 TFLOP/s and 0.859 GFLOP a token, which is the count of gpt2-124m, two hours are 0.13 billion tokens."""
    job = estimate_aws_cost(124.44, 1, 2)
    assert job.tokens == pytest.approx(7200 * 15.6e12 / 0.8597e9, rel=0.02)
    assert job.speed.basis == "assumed"
    assert job.tokens_wanted == pytest.approx(2.49e9, rel=1e-3)


def test_all_gpus_of_an_instance_work() -> None:
    one, eight = (estimate_aws_cost(124, 1, 2, name) for name in ("p5.4xlarge", "p5.48xlarge"))
    assert eight.tokens == pytest.approx(8 * one.tokens)


def test_the_name_may_have_the_prefix_of_sagemaker() -> None:
    assert estimate_aws_cost(124, 1, 1, "ml.g5.xlarge").total == estimate_aws_cost(124, 1, 1, "g5.xlarge").total


def test_a_machine_that_cannot_run_our_image_says_so() -> None:
    assert "CUDA 13" in str(estimate_aws_cost(124, 1, 1, "p3.2xlarge"))
    assert estimate_aws_cost(124, 1, 1).refused is None


@pytest.mark.parametrize("name", ["g4nd.xlarge", "", "p2.xlarge", "t3.medium"])
def test_an_unknown_instance_has_no_default_price(name: str) -> None:
    with pytest.raises(InputError):
        estimate_aws_cost(124, 1, 1, name)


@pytest.mark.parametrize("numbers", [(0, 1, 1), (124, -1, 1), (124, 1, float("nan")), (float("inf"), 1, 1)])
def test_a_number_that_is_not_positive_is_refused(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(InputError):
        estimate_aws_cost(*numbers)


@pytest.mark.parametrize("wrong", [5, None, b"g5.xlarge", ["g5.xlarge"]])
def test_an_instance_type_is_a_text(wrong: object) -> None:
    with pytest.raises(InputError, match="instance_type must be a text, it is") as refused:
        estimate_aws_cost(124, 1, 1, wrong)  # type: ignore[arg-type]
    assert refused.value.hint == "give for example 'g4dn.xlarge'"


@pytest.mark.parametrize(
    "wrong", [{"epochs": "10"}, {"epochs": True}, {"hours_per_epoch": None}, {"use_spot": "no"}, {"use_spot": 0}]
)
def test_an_argument_of_another_type_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"model_params_millions": 124, "epochs": 1, "hours_per_epoch": 1} | wrong
    with pytest.raises(InputError, match=rf"^{next(iter(wrong))} must be"):
        estimate_aws_cost(**arguments)


def test_numbers_of_numpy_are_numbers() -> None:
    assert estimate_aws_cost(np.int64(124), np.float32(10), 2).total == estimate_aws_cost(124, 10, 2).total


def test_the_age_of_prices_is_counted_from_a_day() -> None:
    shown = str(estimate_aws_cost(124, 10, 2, today=datetime.date(2026, 10, 27)))
    assert "price of 2026-09-27 (30 days old)" in " ".join(shown.split())


def test_what_is_assumed_is_marked() -> None:
    rows = {row["for"]: row["what"] for row in map(both().table().__getitem__, range(5, 7))}
    assert all("assumed" in what for what in rows.values())
    assert "off assumed" in both().table()[1]["what"]
    assert "assumed: 65%" in both().table().notes[0]


def test_the_speed_is_published_only_for_a_published_size() -> None:
    bases = [estimate_aws_cost(size, 1, 1, "p5.4xlarge").speed.basis for size in (124, 355, 1.35, 13.9)]
    assert bases == ["published", "published", "assumed", "assumed"]


def both() -> Estimate:
    return estimate_aws_cost(124, 10, 2)


def test_it_shows_itself_in_a_terminal_and_in_a_notebook() -> None:
    for shown in (repr(both()), both()._repr_html_()):
        for part in ("$3.68", "$14.79", "$7.39", "$0.10", "1.3 billion", "2026-09-27", "assumed"):
            assert part in shown
    assert max(map(len, repr(both()).splitlines())) <= 122

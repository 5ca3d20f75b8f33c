"""A run ends before its limits, never after them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.cost.limits import MARGIN_SECONDS, Limits


def at(step: int = 0, elapsed: float = 0.0, spent: float = 0.0, reserve: float = 0.0) -> dict[str, float]:
    return {"step": step, "elapsed": elapsed, "spent": spent, "reserve": reserve}


def test_each_limit_says_why_it_ended_the_run() -> None:
    limits = Limits(max_steps=10, max_seconds=600, budget_usd=2, rate_usd_per_hour=1)
    assert limits.reached(**at(step=9)) is None
    assert "10 steps" in str(limits.reached(**at(step=10)))
    assert "10 minutes" in str(limits.reached(**at(elapsed=599)))
    assert "$2.00" in str(limits.reached(**at(spent=2.0)))


@given(budget=st.floats(0.01, 100), rate=st.floats(0.01, 100), reserve=st.floats(0, 600), step=st.floats(0.01, 60))
def test_a_run_that_stops_at_its_limit_has_not_passed_its_budget(
    budget: float, rate: float, reserve: float, step: float
) -> None:
    limits = Limits(budget_usd=budget, rate_usd_per_hour=rate)
    affordable = budget / rate * 3600
    seconds = 0.0
    for _ in range(10_000):
        if limits.reached(**at(spent=seconds / 3600 * rate, reserve=step + reserve)):
            break
        seconds += step
    else:
        return
    if seconds:  # something was done: it and the reserve were paid for
        assert seconds + reserve <= affordable + 1e-6


def test_progress_is_a_pure_function_of_the_step_where_steps_are_the_only_limit() -> None:
    limits = Limits(max_steps=200)
    assert limits.progress(**at(step=50, elapsed=1.0)) == limits.progress(**at(step=50, elapsed=999.0)) == 0.25


def test_progress_is_a_pure_function_of_the_step_while_money_and_time_are_enough_for_all_steps() -> None:
    limits = Limits(max_steps=200, max_seconds=1000.0, budget_usd=1.0, rate_usd_per_hour=3.6)
    for spent in (0.0, 0.5, 0.7):  # 300 to 1,000 s are left, and 100 steps take 200
        assert limits.progress(**at(step=100, spent=spent), step_seconds=2.0) == 0.5
    assert limits.progress(**at(step=100, spent=0.9), step_seconds=2.0) > 0.9  # 100 s are left
    assert limits.progress(**at(step=0, spent=0.9), step_seconds=0.0) == 0.0
    assert limits.progress(**at(step=200, spent=0.9), step_seconds=2.0) == 1.0


def test_progress_follows_the_limit_that_comes_first_and_ends_at_one() -> None:
    limits = Limits(max_steps=100, max_seconds=100 + MARGIN_SECONDS)
    assert limits.progress(**at(step=10, elapsed=50)) == 0.5
    assert limits.progress(**at(step=10, elapsed=5)) == pytest.approx(0.1)
    assert limits.progress(**at(step=10, elapsed=1e9)) == 1.0


def test_seconds_left_is_what_the_tighter_of_time_and_dollars_allows() -> None:
    limits = Limits(max_seconds=1000, budget_usd=0.1, rate_usd_per_hour=3.6)
    assert limits.seconds_left(elapsed=0, spent=0) == pytest.approx(100)
    assert Limits(max_steps=5).seconds_left(elapsed=0, spent=0) == float("inf")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_steps": 0},
        {"max_seconds": -1.0},
        {"budget_usd": 0.0, "rate_usd_per_hour": 1.0},
        {"budget_usd": 1.0},
        {"rate_usd_per_hour": -1.0},
        {"max_seconds": float("nan")},
        {"rate_usd_per_hour": float("nan")},
    ],
)
def test_invalid_limits_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Limits(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("budget", "said"), [(0.002, "$0.002"), (5, "$5.00"), (0.5, "$0.50"), (1234.5, "$1,234.50")])
def test_the_reason_names_the_budget_as_it_was_given(budget: float, said: str) -> None:
    limits = Limits(budget_usd=budget, rate_usd_per_hour=1)
    assert limits.reached(step=1, elapsed=1, spent=budget, reserve=0) == f"reached its budget of {said}"


def test_a_limit_below_the_steps_already_done_says_so() -> None:
    reached = [Limits(max_steps=20).reached(step=step, elapsed=0.0, spent=0.0, reserve=0.0) for step in (20, 100)]
    assert reached == ["reached its limit of 20 steps", "was past its limit of 20 steps"]

from __future__ import annotations

import time

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.billing import VARIABLE, Billing, billing_here
from tuppence.cost.rates import hourly_rate

BILLING = Billing("tuppence-1", 1000.0, 5.0, 30.0, "a test", "a price list")


def test_the_environment_carries_all_of_it() -> None:
    assert billing_here({VARIABLE: BILLING.as_text()}) == BILLING


def test_outside_a_job_there_is_none() -> None:
    assert billing_here({}) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"job": "x", "since": "soon"}', BILLING.as_text().replace("5.0", "-1")]
)
def test_damaged_environment_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=VARIABLE):
        billing_here({VARIABLE: text})


def test_the_billing_start_is_in_the_past_of_this_machines_clock() -> None:
    began = Billing("tuppence-1", since=time.time() - 100).began()
    assert time.monotonic() - began == pytest.approx(100, abs=1)
    assert Billing("tuppence-1", since=time.time() + 100).began() <= time.monotonic()


def test_a_rate_within_a_job_has_the_source_of_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, BILLING.as_text())
    assert hourly_rate("0.5").source == "a price list"

"""Prices: each has a source and a date, unknown types are refused, and newer prices of a refresh are used."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.cost.hardware import instances
from tuppence.cost.ledger import Rate
from tuppence.cost.rates import hourly_rate, known_types, other_price, price_of, prices, rate_of


def test_every_price_has_a_region_a_source_and_a_date() -> None:
    for price in prices().values():
        assert price.region == "us-east-1"
        assert len(price.source) > 20
        assert datetime.date(2025, 11, 1) <= price.date <= datetime.date(2026, 11, 28), price


@pytest.mark.parametrize(
    ("instance", "dollars"),
    [
        ("ml.g4dn.xlarge", 0.7364),
        ("g4dn.xlarge", 0.526),
        ("ml.g5.xlarge", 1.408),
        ("g5.xlarge", 1.006),
        ("ml.p5.4xlarge", 7.912),
        ("ml.p4d.24xlarge", 25.2513),
    ],
)
def test_sagemaker_and_ec2_have_their_own_prices(instance: str, dollars: float) -> None:
    assert rate_of(instance).rate_usd_per_hour == dollars


def test_sagemaker_adds_40_percent_to_the_xlarge_and_15_to_the_large_machines() -> None:
    """The mark-ups that were found when the prices were collected; a typing error would break one of them."""
    shared = {name.removeprefix("ml.") for name in known_types("training")} & set(known_types("on demand"))
    assert len(shared) >= 10
    for name in shared:
        ratio = price_of(f"ml.{name}").usd / price_of(name).usd
        wanted = 1.15 if name.startswith(("p4", "p5")) else 1.25 if name[:2] == "p3" or "g" not in name else None
        assert ratio == pytest.approx(wanted or (1.40 if name.endswith(".xlarge") else 1.25), rel=0.005), name


def test_a_rate_names_its_source() -> None:
    assert rate_of("ml.g4dn.xlarge").source == "SageMaker training, ml.g4dn.xlarge in us-east-1, price of 2026-09-27"
    assert rate_of("ml.t3.medium", "notebook").source.startswith("SageMaker notebook")


def test_the_age_of_a_price_is_shown() -> None:
    price = price_of("ml.g4dn.xlarge")
    assert price.describe(price.date + datetime.timedelta(days=62)).endswith("price of 2026-09-27 (62 days old)")
    assert price.age_days(price.date) == 0


def test_an_unknown_type_is_refused_with_suggestions() -> None:
    with pytest.raises(InputError, match=r"'ml\.g4nd\.xlarge'") as refused:
        rate_of("ml.g4nd.xlarge")
    assert "ml.g4dn.xlarge" in refused.value.hint
    with pytest.raises(InputError, match="'mars' is no region of AWS"):
        rate_of("ml.g5.xlarge", region="mars")
    with pytest.raises(InputError, match=r"no price of ml\.g5\.xlarge in eu-west-1 is known, but in us-east-1"):
        rate_of("ml.g5.xlarge", region="eu-west-1")


def test_the_hint_for_another_region_says_what_a_refresh_needs() -> None:
    for name, needs in (("ml.g5.xlarge", False), ("g5.xlarge", True)):
        with pytest.raises(InputError) as refused:
            rate_of(name, region="eu-west-1")
        assert refused.value.hint.startswith("tuppence plan --refresh --region eu-west-1")
        assert ("credentials" in refused.value.hint) is needs


def test_a_rate_is_a_number_or_an_instance() -> None:
    assert hourly_rate("0.5") == Rate(0.5, "given by --rate")
    assert hourly_rate("0") == Rate()
    assert hourly_rate("ml.g5.xlarge") == rate_of("ml.g5.xlarge")
    assert hourly_rate(Rate(2.0, "x")) == Rate(2.0, "x")


def test_every_instance_with_a_gpu_has_a_training_price() -> None:
    assert {f"ml.{name}" for name in instances()} <= set(known_types("training"))


def test_what_else_costs_money_is_priced() -> None:
    assert other_price("S3", "storage", "standard").usd == 0.023
    assert other_price("SageMaker", "serverless", "memory").unit == "GB-second"
    assert other_price("SageMaker", "volume", "training and notebook volume").usd == 0.14


def refreshed(cache: Path, **changes: object) -> Path:
    row = {"service": "SageMaker", "use": "training", "item": "ml.g4dn.xlarge", "usd": 0.7, "unit": "hour"}
    row |= {"region": "us-east-1", "source": "the price list of AWS", "date": "2026-11-01"} | changes
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "prices.json").write_text(json.dumps({"prices": [row]}))
    return cache / "prices.json"


def test_a_newer_price_of_a_refresh_is_used_and_an_older_one_is_not(cache: Path) -> None:
    refreshed(cache)
    assert rate_of("ml.g4dn.xlarge").rate_usd_per_hour == 0.7
    refreshed(cache, date="2026-01-01")
    assert rate_of("ml.g4dn.xlarge").rate_usd_per_hour == 0.7364
    refreshed(cache, item="ml.new.xlarge", region="eu-west-1")
    assert rate_of("ml.new.xlarge", region="eu-west-1").rate_usd_per_hour == 0.7


@pytest.mark.parametrize(
    "changes", [{"usd": -1}, {"usd": "1"}, {"usd": True}, {"usd": float("nan")}, {"date": "soon"}, {"source": None}]
)
def test_a_damaged_cache_is_an_error_with_a_way_out(cache: Path, changes: dict[str, object]) -> None:
    path = refreshed(cache, **changes)
    with pytest.raises(CorruptFileError) as refused:
        rate_of("ml.g4dn.xlarge")
    assert refused.value.hint == f"delete it: rm {path}"


@pytest.mark.parametrize("text", ["-1", "nan", "inf"])
def test_a_rate_is_not_negative_and_finite(text: str) -> None:
    with pytest.raises(InputError, match="no price of an hour"):
        hourly_rate(text)

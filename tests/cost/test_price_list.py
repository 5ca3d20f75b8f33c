"""AWS's price list of S3 and EC2 in its real shapes; `test_refresh` has that of SageMaker."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.cost import price_list
from tuppence.cost.price_list import EC2_WANTED, ec2_prices, storage_prices

TODAY = datetime.date(2026, 11, 28)


def term(sku: str, *tiers: tuple[str, str, str]) -> dict[str, Any]:
    """On-demand terms with (begin of the range, unit, dollars)."""
    dimensions = {
        f"{sku}.JRTCKXETXF.{number}": {"beginRange": begin, "unit": unit, "pricePerUnit": {"USD": usd}}
        for number, (begin, unit, usd) in enumerate(tiers)
    }
    return {f"{sku}.JRTCKXETXF": {"sku": sku, "priceDimensions": dimensions}}


def storage(usage: str, volume: str = "Standard", region: str = "eu-central-1") -> dict[str, Any]:
    about = {"usagetype": usage, "volumeType": volume, "regionCode": region, "storageClass": "General Purpose"}
    return {"productFamily": "Storage", "attributes": about}


TIERS = ("0", "GB-Mo", "0.0245"), ("51200", "GB-Mo", "0.0235"), ("512000", "GB-Mo", "0.0225")
S3 = {
    "A": (storage("EUC1-TimedStorage-ByteHrs"), term("A", *TIERS)),
    "B": (
        storage("EUC1-TimedStorage-SIA-ByteHrs", "Standard - Infrequent Access"),
        term("B", ("0", "GB-Mo", "0.0135")),
    ),
    "C": (storage("EUC1-TimedStorage-INT-FA-ByteHrs", "Intelligent-Tiering Frequent Access"), term("C", *TIERS)),
    "D": (storage("USW2-TimedStorage-ByteHrs", region="us-west-2"), term("D", ("0", "GB-Mo", "0.9"))),
    "E": (storage("EUC1-Requests-Tier1"), term("E", ("0", "Requests", "0.0000054"))),
    "F": ({"productFamily": "Fee", "attributes": None}, None),
}


def s3_file(offers: dict[str, Any]) -> dict[str, Any]:
    return {
        "publicationDate": "2026-11-20T00:00:00Z",
        "products": {sku: product for sku, (product, _) in offers.items()},
        "terms": {"OnDemand": {sku: terms for sku, (_, terms) in offers.items() if terms}},
    }


def test_the_first_tier_of_standard_storage_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def read(url: str) -> dict[str, Any]:
        asked.append(url)
        return s3_file(S3)

    monkeypatch.setattr(price_list, "_read_json", read)
    (price,) = storage_prices("eu-central-1", TODAY)
    assert price.key == ("S3", "storage", "standard", "eu-central-1")
    assert (price.usd, price.unit, price.date) == (0.0245, "GB-month", TODAY)
    assert price.source == "AWS's public price list, published 2026-11-20"
    assert asked == ["https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonS3/current/eu-central-1/index.json"]


def test_us_east_1_has_no_prefix_in_its_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    offers = {"A": (storage("TimedStorage-ByteHrs", region="us-east-1"), term("A", ("0", "GB-Mo", "0.023")))}
    monkeypatch.setattr(price_list, "_read_json", lambda url: s3_file(offers))
    assert storage_prices("us-east-1", TODAY)[0].usd == 0.023
    with pytest.raises(InputError, match="no prices of standard storage"):
        storage_prices("eu-west-1", TODAY)


def ec2(name: str, usd: str, **changes: str) -> dict[str, Any]:
    about = {"instanceType": name, "regionCode": "us-east-1"} | EC2_WANTED | changes
    product = {"productFamily": "Compute Instance", "attributes": about}
    return {"product": product, "serviceCode": "AmazonEC2", "terms": {"OnDemand": term("X", ("0", "Hrs", usd))}}


EC2 = [
    ec2("g5.xlarge", "1.0160000000"),
    ec2("g5.xlarge", "0.0000000000"),  # hosts and reservations are listed at no price
    ec2("g5.xlarge", "1.9", operatingSystem="Windows"),
    ec2("g5.xlarge", "2.1", tenancy="Dedicated"),
    ec2("g5.xlarge", "9.9", preInstalledSw="SQL Std"),
    ec2("p5.48xlarge", "55.04", marketoption="OnDemand"),
    ec2("p5.48xlarge", "60.0", marketoption="CapacityBlock"),
    ec2("g5.xlarge", "7.0", regionCode="eu-central-1"),
    ec2("x9.large", "0.5"),
]


class Api:
    """`get_products` as boto3 pages it, filtered as AWS does."""

    def __init__(self, offers: list[dict[str, Any]]) -> None:
        self._offers, self.asked = offers, 0

    def get_paginator(self, name: str) -> Api:
        assert name == "get_products"
        return self

    def paginate(self, ServiceCode: str, Filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        self.asked += 1
        wanted = {one["Field"]: one["Value"] for one in Filters}
        found = [
            offer
            for offer in self._offers
            if offer["serviceCode"] == ServiceCode
            and all(offer["product"]["attributes"].get(field) == value for field, value in wanted.items())
        ]
        yield {"PriceList": [json.dumps(offer) for offer in found]}


def test_ec2_is_linux_on_shared_hardware_on_demand() -> None:
    found = {price.item: price for price in ec2_prices("us-east-1", TODAY, Api(EC2))}
    assert {name: price.usd for name, price in found.items()} == {"g5.xlarge": 1.016, "p5.48xlarge": 55.04}
    assert found["g5.xlarge"].key == ("EC2", "on demand", "g5.xlarge", "us-east-1")


def test_a_region_without_gpus_has_no_prices() -> None:
    with pytest.raises(InputError, match="no prices of EC2 instances with a GPU in eu-north-1"):
        ec2_prices("eu-north-1", TODAY, Api(EC2))


def test_the_attributes_are_filters_of_the_real_api() -> None:
    """botocore's description of the API accepts the filters and the names of the call."""
    session = pytest.importorskip("botocore.session").get_session()
    shape = session.get_service_model("pricing").operation_model("GetProducts").input_shape
    assert {"ServiceCode", "Filters"} <= set(shape.members)
    filters = shape.members["Filters"].member
    assert set(filters.members) == {"Type", "Field", "Value"}
    assert "TERM_MATCH" in filters.members["Type"].enum

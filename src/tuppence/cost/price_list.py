"""AWS's price list: its public files, and its API. `cost.refresh` reads prices of SageMaker, S3 and EC2 with it.

AWS publishes its prices as one JSON file for each service and region, which needs no account and no credentials
(docs.aws.amazon.com, "Getting price list files"). EC2's file has several hundred megabytes, so its prices come from the
API, which needs credentials.

Of SageMaker only three kinds of products are read, by their attribute `platoinstancetype`: Training, Hosting (an
endpoint) and Notebook. The list has many more rows for each type: SpotTraining, whose price has no documented meaning,
rows of the free tier at $0, Processing, Studio. Whoever takes the first row of a type may get one of those. Of EC2 it
is Linux without further software on shared hardware; of S3 the first tier of standard storage.
"""

from __future__ import annotations

import datetime
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tuppence.core.errors import InputError
from tuppence.cost.hardware import instances
from tuppence.cost.rates import EC2_USE, Price

PRICE_LIST = "https://pricing.us-east-1.amazonaws.com"
FILE = "{}/offers/v1.0/aws/{}/current/{}/index.json"
"""Address, service, region."""
USES = {"Training": "training", "Hosting": "endpoint", "Notebook": "notebook"}
"""`platoinstancetype` → what we call it. Others are skipped."""
EC2_WANTED = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}
"""Attributes of EC2's products that a plan is for; the list has dozens of products for each type."""
UNITS = {"hrs": "hour", "gb-mo": "gb-month"}
"""A unit in AWS's lists, in lower case → another name of it."""
MOST_BYTES = 256 * 2**20
SECONDS_TO_ANSWER, SECONDS_IN_ALL = 30.0, 300.0
API_REGION = "us-east-1"
"""The price list API has endpoints in a few regions only; each knows the prices of all."""
API_SOURCE = "AWS's price list API"
_TYPE = re.compile(r"ml\.[a-z0-9-]{2,16}\.[a-z0-9-]{2,16}")

Offer = tuple[Any, Any]
"""A product and its on-demand terms, as AWS writes them."""


def sagemaker_prices(region: str, today: datetime.date, address: str = PRICE_LIST) -> list[Price]:
    """Returns the prices of training, endpoints and notebooks in the public file of a region.

    Raises:
        InputError: the file cannot be read, is larger than `MOST_BYTES`, or has no such prices.
    """
    url = FILE.format(address, "AmazonSageMaker", region)
    offers, source = _offers_of_file(url)
    return _instances(offers, region, today, source) or _nothing(url, "training, endpoints or notebooks")


def sagemaker_prices_of_api(region: str, today: datetime.date, client: Any) -> list[Price]:
    """Returns the same prices from the price list API.

    Args:
        client: `api_client()`.

    Raises:
        InputError: the API does not answer, or has no such prices.
    """
    found = []
    for kind in USES:
        wanted = {"productFamily": "ML Instance", "regionCode": region, "platoinstancetype": kind}
        found += _instances(_offers_of_api(client, "AmazonSageMaker", wanted), region, today, API_SOURCE)
    return found or _nothing(API_SOURCE, f"training, endpoints or notebooks in {region}")


def storage_prices(region: str, today: datetime.date, address: str = PRICE_LIST) -> list[Price]:
    """Returns the price of a GB-month of standard storage, in its first tier, from the public file of S3.

    Raises:
        InputError: the file cannot be read, or has no such price.
    """
    url = FILE.format(address, "AmazonS3", region)
    offers, source = _offers_of_file(url)
    standard = (terms for product, terms in offers if _is_standard_storage(product, region))
    usd = [price for terms in standard for price in _dollars(terms, "gb-mo", first_tier=True)]
    if not usd:
        return _nothing(url, "standard storage")
    return [Price("S3", "storage", "standard", max(usd), "GB-month", region, source, today)]


def ec2_prices(region: str, today: datetime.date, client: Any) -> list[Price]:
    """Returns the on-demand prices of the instance types with a GPU, from the price list API.

    Args:
        client: `api_client()`.

    Raises:
        InputError: the API does not answer, for example because there are no credentials, or has no such prices.
    """
    found: dict[str, float] = {}
    for name in instances():
        wanted = {"instanceType": name, "regionCode": region} | EC2_WANTED
        for product, terms in _offers_of_api(client, "AmazonEC2", wanted):
            about, usd = _attributes(product), max(_dollars(terms), default=0.0)
            bought = about.get("marketoption", "OnDemand") == "OnDemand"  # not a block of capacity
            if bought and about.get("instanceType") == name and usd > found.get(name, 0.0):
                found[name] = usd
    if not found:
        return _nothing(API_SOURCE, f"EC2 instances with a GPU in {region}")
    return [Price("EC2", EC2_USE, name, usd, "hour", region, API_SOURCE, today) for name, usd in found.items()]


def api_client() -> Any:
    """Returns boto3's client of the price list API, with the credentials that boto3 finds.

    Raises:
        TuppenceError: boto3 is not installed, or its settings cannot be used.
    """
    from tuppence.storage import client

    return client("pricing", region=API_REGION)


def _offers_of_file(url: str) -> tuple[list[Offer], str]:
    """The products of a public file with their terms, and the source of their prices."""
    content = _read_json(url)
    products, terms = content.get("products"), content.get("terms")
    on_demand = terms.get("OnDemand") if isinstance(terms, dict) else None
    if not isinstance(products, dict) or not isinstance(on_demand, dict):
        raise _unusable(url)
    published = str(content.get("publicationDate", ""))[:10]
    source = f"AWS's public price list, published {published}" if published else "AWS's public price list"
    return [(product, on_demand.get(sku)) for sku, product in products.items()], source


def _offers_of_api(client: Any, service: str, wanted: Mapping[str, str]) -> Iterator[Offer]:
    """The products of the API that have all wanted attributes."""
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    for page in client.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters):
        for text in page["PriceList"]:
            offer = json.loads(text)
            yield offer.get("product"), offer.get("terms", {}).get("OnDemand")


def _instances(offers: Iterable[Offer], region: str, today: datetime.date, source: str) -> list[Price]:
    """The dearest price an hour of each type and use, if several are listed: a plan must not be too low."""
    found: dict[tuple[str, str], Price] = {}
    for product, terms in offers:
        known = _use_and_type(product, region)
        usd = max(_dollars(terms), default=0.0)
        if known is None or usd <= 0:
            continue
        use, item = known
        if known not in found or usd > found[known].usd:
            found[known] = Price("SageMaker", use, item, usd, "hour", region, source, today)
    return [found[key] for key in sorted(found)]


def _use_and_type(product: Any, region: str) -> tuple[str, str] | None:
    """What a product is for, and its instance type; None if it is not for us."""
    attributes = _attributes(product)
    if attributes.get("regionCode") != region or product.get("productFamily") != "ML Instance":
        return None
    use = USES.get(str(attributes.get("platoinstancetype")))
    # `instanceType` is "ml.g5.xlarge-Training" or missing; `usagetype` is "USE1-Train:ml.g5.xlarge"
    names = (attributes.get("instanceName"), attributes.get("instanceType"), attributes.get("usagetype"))
    for name in names:
        types = _TYPE.findall(str(name).split("-Training")[0].split("-Hosting")[0].split("-Notebook")[0])
        if use and types:
            return use, types[0]
    return None


def _is_standard_storage(product: Any, region: str) -> bool:
    about = _attributes(product)
    # "EUC1-TimedStorage-ByteHrs"; us-east-1 has no prefix; other classes are for example "TimedStorage-SIA-ByteHrs"
    usage = str(about.get("usagetype")).rpartition("TimedStorage-")[2]
    return about.get("regionCode") == region and about.get("volumeType") == "Standard" and usage == "ByteHrs"


def _attributes(product: Any) -> Mapping[str, Any]:
    attributes = product.get("attributes") if isinstance(product, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _dollars(terms: Any, unit: str = "hrs", *, first_tier: bool = False) -> Iterator[float]:
    """The prices above zero for a unit, such as "Hrs" or "GB-Mo".

    Args:
        first_tier: whether only a price from the first unit on counts; others are for large amounts.
    """
    for term in terms.values() if isinstance(terms, dict) else ():
        dimensions = term.get("priceDimensions") if isinstance(term, dict) else None
        for dimension in dimensions.values() if isinstance(dimensions, dict) else ():
            if not isinstance(dimension, dict) or not str(dimension.get("unit")).lower().startswith(
                (unit, UNITS[unit])
            ):
                continue
            if first_tier and str(dimension.get("beginRange")) != "0":
                continue
            try:
                usd = float(dimension["pricePerUnit"]["USD"])
            except (KeyError, TypeError, ValueError):
                continue
            if 0 < usd < 1e4:
                yield usd


def _read_json(url: str) -> Mapping[str, Any]:
    request = urllib.request.Request(url, headers={"User-Agent": "tuppence", "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER) as answer:
            content = _read_at_most(answer, url)
    except urllib.error.HTTPError as error:
        reason = "there is no such region or list" if error.code in (403, 404) else "try again later"
        raise InputError(f"{url} answers {error.code}", reason) from error
    except (OSError, ValueError) as error:  # URLError, timeouts, broken connections
        said = getattr(error, "reason", None) or error
        raise InputError(
            f"cannot read {url}: {said}", "check the network; the plan works without new prices"
        ) from error
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _unusable(url) from error
    if not isinstance(parsed, dict):
        raise _unusable(url)
    return parsed


def _read_at_most(answer: Any, url: str) -> bytes:
    """The body of an answer, within `MOST_BYTES` and `SECONDS_IN_ALL`."""
    pieces, size, until = [], 0, time.monotonic() + SECONDS_IN_ALL
    while piece := answer.read(2**20):
        size += len(piece)
        if size > MOST_BYTES:
            raise InputError(f"{url} has more than {MOST_BYTES / 2**20:.0f} MiB", "this is not AWS's list for a region")
        if time.monotonic() > until:
            raise InputError(f"{url} took longer than {SECONDS_IN_ALL:.0f} s", "try again on a faster network")
        pieces.append(piece)
    return b"".join(pieces)


def _unusable(where: str) -> InputError:
    return InputError(f"{where} is not a price list of AWS", "a proxy may have answered; check the network")


def _nothing(where: str, what: str) -> list[Price]:
    raise InputError(f"{where} has no prices of {what}", "check the region")

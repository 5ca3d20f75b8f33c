"""`tuppence plan --refresh`: today's prices of SageMaker from AWS, saved in the user's cache with their date.

AWS publishes its prices as one JSON file for each service and region, which needs no account and no credentials
(docs.aws.amazon.com, "Getting price list files"). If that file cannot be read, and boto3 is installed, the price list
API is asked, which needs credentials.

Only three kinds of products are read, by their attribute `platoinstancetype`: Training, Hosting (an endpoint) and
Notebook. The list has many more rows for each type: SpotTraining, whose price has no documented meaning, rows of the
free tier at $0, Processing, Studio. Whoever takes the first row of a type may get one of those. EC2's list is not read:
it has several hundred megabytes.
"""

from __future__ import annotations

import datetime
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuppence.core.cache import cache_folder
from tuppence.core.errors import InputError
from tuppence.core.files import write_json
from tuppence.cost.rates import CACHE_FILE, REGION, Price

PRICE_LIST = "https://pricing.us-east-1.amazonaws.com"
USES = {"Training": "training", "Hosting": "endpoint", "Notebook": "notebook"}
"""`platoinstancetype` → what we call it. Others are skipped."""
MOST_BYTES = 256 * 2**20
SECONDS_TO_ANSWER, SECONDS_IN_ALL = 30.0, 300.0
API_REGION = "us-east-1"
"""The price list API has endpoints in a few regions only; each knows the prices of all."""
_REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,2}-\d")
_TYPE = re.compile(r"ml\.[a-z0-9-]{2,16}\.[a-z0-9-]{2,16}")


@dataclass(frozen=True)
class Refreshed:
    """What a refresh has saved: the prices, and the file."""

    prices: tuple[Price, ...]
    path: Path


def refresh(
    region: str = REGION, *, address: str = PRICE_LIST, today: datetime.date | None = None, folder: Path | None = None
) -> Refreshed:
    """Reads the prices of a region from AWS and saves them in the user's cache. Prices of other regions stay there.

    Args:
        address: of the price list; a test gives that of a server of its own.
        folder: where to save; the user's cache by default.

    Raises:
        InputError: the region makes no sense, AWS cannot be reached, or what it answers has no prices.
    """
    if not _REGION.fullmatch(region):
        raise InputError(f"{region!r} is no region of AWS", "give for example us-east-1 or eu-central-1")
    folder = folder or cache_folder()
    if folder is None:
        raise InputError("there is no home folder to save prices in", "set XDG_CACHE_HOME to a folder")
    today = today or datetime.date.today()
    try:
        found = list(bulk_prices(region, today, address))
    except InputError as error:
        found = list(_from_the_api(region, today, error))
    path = folder / CACHE_FILE
    kept = [row for row in _saved(path) if row.get("region") != region]
    rows = [{**asdict(price), "date": price.date.isoformat()} for price in found]
    write_json(path, {"what": "prices that tuppence plan --refresh has read from AWS", "prices": [*kept, *rows]})
    return Refreshed(tuple(found), path)


def bulk_prices(region: str, today: datetime.date, address: str = PRICE_LIST) -> Iterator[Price]:
    """The prices of the public file of a region.

    Raises:
        InputError: it cannot be read, is larger than `MOST_BYTES`, or has no prices.
    """
    url = f"{address}/offers/v1.0/aws/AmazonSageMaker/current/{region}/index.json"
    offers = _read_json(url)
    products, terms = offers.get("products"), offers.get("terms")
    on_demand = terms.get("OnDemand") if isinstance(terms, dict) else None
    if not isinstance(products, dict) or not isinstance(on_demand, dict):
        raise _unusable(url)
    published = str(offers.get("publicationDate", ""))[:10]
    source = f"AWS's public price list, published {published}" if published else "AWS's public price list"
    both = ((product, on_demand.get(sku)) for sku, product in products.items())
    return iter(_prices(both, region, today, source) or _nothing(url))


def api_prices(region: str, today: datetime.date, client: Any) -> Iterator[Price]:
    """The prices of the price list API, in `us-east-1`.

    Args:
        client: `boto3.client("pricing")`.
    """
    pages = client.get_paginator("get_products")
    for kind in USES:
        wanted = {"productFamily": "ML Instance", "regionCode": region, "platoinstancetype": kind}
        filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
        for page in pages.paginate(ServiceCode="AmazonSageMaker", Filters=filters):
            offers = [json.loads(text) for text in page["PriceList"]]
            both = ((offer.get("product"), offer.get("terms", {}).get("OnDemand")) for offer in offers)
            yield from _prices(both, region, today, "AWS's price list API")


def _from_the_api(region: str, today: datetime.date, because: InputError) -> Iterator[Price]:
    """The prices of the API, if boto3 is there; else the error of the public file."""
    try:
        import boto3
    except ImportError:
        raise because from None
    try:
        found = list(api_prices(region, today, boto3.client("pricing", region_name=API_REGION)))
    except Exception as error:  # botocore has dozens of exceptions, and no base class for all of them
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{because.message}; boto3 cannot either: {first}", because.hint) from error
    yield from found or _nothing("the price list API")


def _prices(offers: Iterable[tuple[Any, Any]], region: str, today: datetime.date, source: str) -> list[Price]:
    """The dearest price an hour of each type and use, if several are listed: a plan must not be too low."""
    found: dict[tuple[str, str], Price] = {}
    for product, terms in offers:
        known = _use_and_type(product, region)
        usd = max(_dollars_an_hour(terms), default=0.0)
        if known is None or usd <= 0:
            continue
        use, item = known
        if known not in found or usd > found[known].usd:
            found[known] = Price("SageMaker", use, item, usd, "hour", region, source, today)
    return [found[key] for key in sorted(found)]


def _use_and_type(product: Any, region: str) -> tuple[str, str] | None:
    """What a product is for, and its instance type; None if it is not for us."""
    if not isinstance(product, dict) or product.get("productFamily") != "ML Instance":
        return None
    attributes = product.get("attributes")
    if not isinstance(attributes, dict) or attributes.get("regionCode") != region:
        return None
    use = USES.get(str(attributes.get("platoinstancetype")))
    # `instanceType` is "ml.g5.xlarge-Training" or missing; `usagetype` is "USE1-Train:ml.g5.xlarge"
    names = (attributes.get("instanceName"), attributes.get("instanceType"), attributes.get("usagetype"))
    for name in names:
        types = _TYPE.findall(str(name).split("-Training")[0].split("-Hosting")[0].split("-Notebook")[0])
        if use and types:
            return use, types[0]
    return None


def _dollars_an_hour(terms: Any) -> Iterator[float]:
    for term in terms.values() if isinstance(terms, dict) else ():
        dimensions = term.get("priceDimensions") if isinstance(term, dict) else None
        for dimension in dimensions.values() if isinstance(dimensions, dict) else ():
            if not isinstance(dimension, dict) or not str(dimension.get("unit")).lower().startswith(("hrs", "hour")):
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


def _saved(path: Path) -> list[dict[str, Any]]:
    """The rows of an earlier refresh; none if the file is missing or damaged."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["prices"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _unusable(where: str) -> InputError:
    return InputError(f"{where} is not a price list of SageMaker", "a proxy may have answered; check the network")


def _nothing(where: str) -> list[Price]:
    raise InputError(f"{where} has no prices of training, endpoints or notebooks", "check the region")

"""The price of an hour of an instance, with its source and its age.

SageMaker and EC2 have different prices for the same machine. SageMaker's names begin with `ml.`, so a name says which
price it means: `ml.g4dn.xlarge` is $0.7364 an hour as a training job, `g4dn.xlarge` is $0.526 as a bare EC2 machine.

The prices come from `prices.json`, a snapshot in this package. `tuppence plan --refresh` (`cost.refresh`) saves newer
ones in the user's cache; they are used where they are newer. Nothing here uses the network.
"""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from tuppence.core.cache import cache_folder
from tuppence.core.console import counted
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import read_json
from tuppence.cost.billing import billing_here
from tuppence.cost.ledger import Rate

REGION = "us-east-1"
EC2_USE = "on demand"
EC2_NEEDS = ", which reads EC2's prices if boto3 finds credentials of AWS"
CACHE_FILE = "prices.json"
CACHE_LIMIT_BYTES = 16 * 2**20
_REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,2}-\d")
OLD_DAYS = 180
"""A price that is older is probably wrong; a plan says so."""


@dataclass(frozen=True)
class Price:
    """A price, and where it comes from.

    Attributes:
        service: "SageMaker", "EC2", "S3", "CloudWatch" or "ECR".
        use: what it pays for: training, notebook, endpoint, serverless, volume, storage, requests, transfer; "on
            demand" for EC2.
        item: the instance type, or what else is priced.
        usd: US dollars for one unit.
        unit: hour, GB-month, GB-second, GB or 1,000 requests.
        region: of AWS.
        source: where the price was read.
        date: the day on which it was valid.
    """

    service: str
    use: str
    item: str
    usd: float
    unit: str
    region: str
    source: str
    date: datetime.date

    def age_days(self, today: datetime.date | None = None) -> int:
        """Days since the price was read."""
        return ((today or datetime.date.today()) - self.date).days

    def describe(self, today: datetime.date | None = None) -> str:
        """One line for a table or a receipt: what, where, from which day, how old."""
        age = counted(max(self.age_days(today), 0), "day")
        return f"{self.service} {self.use}, {self.item} in {self.region}, price of {self.date} ({age} old)"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies a price: two prices with the same key are of different days."""
        return self.service, self.use, self.item, self.region


def prices(cached: Path | None = None) -> Mapping[tuple[str, str, str, str], Price]:
    """All known prices by (service, use, item, region): the snapshot, and what a refresh has saved since.

    Args:
        cached: the file of a refresh; the one in the user's cache by default. A damaged file is an error, because a
            plan with other prices than before would be a silent change.

    Raises:
        CorruptFileError: the cached file is damaged.
    """
    cached = cached or _cache_file()
    if cached is None or not cached.is_file():
        return _shipped()
    state = cached.stat()
    return _with_newer(cached, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)  # a plan asks thousands of times
def _with_newer(cached: Path, mtime: int, size: int) -> Mapping[tuple[str, str, str, str], Price]:
    """The snapshot with the newer prices of a file; its time and size say whether the file is still the same."""
    known = dict(_shipped())
    for price in _read(cached):
        if price.key not in known or price.date > known[price.key].date:
            known[price.key] = price
    return known


def price_of(item: str, use: str | None = None, region: str = REGION) -> Price:
    """The price of an hour of an instance, or another price by its item.

    Args:
        item: `ml.…` for SageMaker, a bare type for EC2.
        use: training (the default for `ml.…`), notebook or endpoint; always "on demand" for EC2.

    Raises:
        InputError: the type or the region is unknown. There is no default price: a wrong price is worse than none.
    """
    check_region(region)
    service = "SageMaker" if item.startswith("ml.") else "EC2"
    use = (use or "training") if service == "SageMaker" else EC2_USE
    known = prices()
    if (service, use, item, region) in known:
        return known[service, use, item, region]
    regions = sorted({price.region for price in known.values() if price.key[:3] == (service, use, item)})
    if regions:
        raise InputError(
            f"no price of {item} in {region} is known, but in {', '.join(regions)}",
            f"tuppence plan --refresh --region {region}" + ("" if service == "SageMaker" else EC2_NEEDS),
        )
    types = known_types(use, known.values())
    near = difflib.get_close_matches(item, types, n=3, cutoff=0.5)
    hint = f"known types are for example {', '.join(near or types[:3])}"
    raise InputError(f"no {service} price ({use}) of instance type {item!r} is known", hint)


def check_region(region: str) -> None:
    """Refuses a text that cannot be the name of a region.

    Raises:
        InputError: it is no such name.
    """
    if not _REGION.fullmatch(region):
        raise InputError(f"{region!r} is no region of AWS", "give for example us-east-1 or eu-central-1")


def rate_of(instance: str, use: str | None = None, region: str = REGION) -> Rate:
    """The rate of a run on an instance, for a ledger; arguments and errors as `price_of`.

    Example:
        >>> rate_of("ml.g4dn.xlarge").rate_usd_per_hour, rate_of("g4dn.xlarge").rate_usd_per_hour
        (0.7364, 0.526)
    """
    price = price_of(instance, use, region)
    return Rate(price.usd, f"{price.service} {price.use}, {price.item} in {price.region}, price of {price.date}")


def hourly_rate(text: str | Rate) -> Rate:
    """The rate of `--rate`: a number of dollars an hour, or an instance type.

    Raises:
        InputError: it is neither.

    Example:
        >>> hourly_rate("0.5")
        Rate(rate_usd_per_hour=0.5, source='given by --rate')
        >>> hourly_rate("ml.g5.xlarge").rate_usd_per_hour
        1.408
    """
    if isinstance(text, Rate):
        return text
    try:
        number = float(text)
    except ValueError:
        return rate_of(text)
    if not 0 <= number < float("inf"):
        raise InputError(f"--rate {text} is no price of an hour", "give US dollars, or an instance type")
    billing = billing_here()
    return Rate(number, (billing and billing.rate_source) or "given by --rate") if number else Rate()


def known_types(use: str, among: Iterable[Price] | None = None) -> list[str]:
    """The instance types with a price for a use ("training", "notebook", "endpoint", "on demand")."""
    found = prices().values() if among is None else among
    return sorted({price.item for price in found if price.use == use and price.unit == "hour"})


def other_price(service: str, use: str, item: str, region: str = REGION) -> Price:
    """A price that is not for an hour, such as ("S3", "storage", "standard").

    Raises:
        KeyError: there is none.
    """
    return prices()[service, use, item, region]


def storage_price(region: str = REGION) -> Price:
    """The price of a GB-month in S3; that of us-east-1 if none is known for the region. The price has its region."""
    known = prices()
    key = "S3", "storage", "standard"
    return known.get((*key, region), known[*key, REGION])


@lru_cache(maxsize=1)
def _shipped() -> Mapping[tuple[str, str, str, str], Price]:
    text = resources.files("tuppence.cost").joinpath("prices.json").read_text(encoding="utf-8")
    table = json.loads(text)
    rows = (_price({**row, **_source(table["sources"][row["source"]])}) for row in table["prices"])
    return {price.key: price for price in rows}


def _source(source: Mapping[str, str]) -> dict[str, str]:
    return {"source": source["text"], "date": source["date"]}


def _cache_file() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / CACHE_FILE


def _read(path: Path) -> list[Price]:
    """The prices of a file that `cost.refresh` has written."""
    rows = read_json(path, CACHE_LIMIT_BYTES)
    try:
        return [_price(row) for row in rows["prices"]]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path} has no usable prices: {error!r}", f"delete it: rm {path}") from error


def _price(row: Mapping[str, Any]) -> Price:
    texts = {name: row[name] for name in ("service", "use", "item", "unit", "region", "source")}
    usd = row["usd"]
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError(f"a text is missing in {row!r}")
    if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 < usd < 1e6:
        raise ValueError(f"a price of {usd!r}")
    return Price(**texts, usd=float(usd), date=datetime.date.fromisoformat(row["date"]))

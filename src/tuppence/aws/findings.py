"""What the sweep finds: `Finding`, what one costs a day, and `Place`, a region with its clients and our tags."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from tuppence.aws.tags import OWNER, is_ours
from tuppence.core.errors import InputError
from tuppence.cost.rates import REGION, other_price, price_of
from tuppence.storage import client

DAYS_A_MONTH = 30.4
MOST_ITEMS = 10_000
"""Most resources of one kind in one region that are looked at."""


@dataclass(frozen=True)
class Finding:
    """A resource that costs money, or that something which costs money depends on.

    Attributes:
        kind: such as "endpoint"; see `sagemaker_kinds` and `other_kinds`.
        name: its name. A Studio app has domain, owner, type and name, with `/` between them.
        region: where it is.
        ours: whether tuppence made it, by its name or its tag.
        status: AWS's word, such as "InService"; empty if it has none.
        usd_per_day: US dollars a day as it is now; None if no price is known.
        basis: how the dollars are computed.
    """

    kind: str
    name: str
    region: str
    ours: bool
    status: str = ""
    usd_per_day: float | None = 0.0
    basis: str = "costs nothing itself"

    @property
    def id(self) -> str:
        """What `--keep` and `--include` take."""
        return f"{self.kind}/{self.name}"

    def as_dict(self) -> dict[str, Any]:
        """The values for JSON."""
        return {"id": self.id, **asdict(self)}


@dataclass(frozen=True)
class Kind:
    """A kind of resource: how it is found, and how it is removed.

    Attributes:
        name: such as "endpoint".
        find: yields what is in a place.
        remove: makes the next step of a removal and returns what it did, such as "stopping". It is called again until
            the resource is no longer found. None if tuppence cannot remove this kind.
    """

    name: str
    find: Callable[[Place], Iterator[Finding]]
    remove: Callable[[Place, Finding], str] | None = None


@dataclass
class Place:
    """A region with its clients, and the ARNs there that have our tag."""

    region: str
    _clients: dict[str, Any] = field(default_factory=dict)
    _tagged: frozenset[str] | None = None

    def client(self, service: str) -> Any:
        """Returns the region's client of a service; the same one each time."""
        if service not in self._clients:
            self._clients[service] = client(service, region=self.region)
        return self._clients[service]

    @property
    def tagged(self) -> frozenset[str]:
        """The ARNs of everything in the region that has our tag."""
        if self._tagged is None:
            wanted = [{"Key": OWNER[0], "Values": [OWNER[1]]}]
            rows = self.rows("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=wanted)
            self._tagged = frozenset(str(row["ResourceARN"]) for row in rows)
        return self._tagged

    def forget_tags(self, tagged: frozenset[str] | None = None) -> None:
        """Asks for the tags again when they are needed, or uses the given ARNs."""
        self._tagged = tagged

    def rows(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yields the rows of a listing, page by page.

        Raises:
            InputError: there are more than `MOST_ITEMS`.
        """
        pages = self.client(service).get_paginator(operation).paginate(**arguments)
        rows = (row for page in pages for row in page.get(key, ()))
        yield from islice(rows, MOST_ITEMS)
        if next(rows, None) is not None:
            raise InputError(f"{service} lists more than {MOST_ITEMS:,} in {self.region}", "look in AWS's console")

    def is_ours(self, name: str, arn: str = "") -> bool:
        """Whether tuppence made a resource, by its name or its tag."""
        return is_ours(name) or arn in self.tagged

    def finding(self, kind: str, name: str, arn: str, status: str = "", cost: Cost | None = None) -> Finding:
        """Returns a finding in this place."""
        cost = cost or Cost()
        return Finding(kind, name, self.region, self.is_ours(name, arn), status, cost.usd_per_day, cost.basis)


@dataclass(frozen=True)
class Cost:
    """US dollars a day, None if unknown, and how they are computed."""

    usd_per_day: float | None = 0.0
    basis: str = "costs nothing itself"

    def __add__(self, other: Cost) -> Cost:
        known = [one.usd_per_day for one in (self, other) if one.usd_per_day is not None]
        unknown = len(known) < 2
        return Cost(None if unknown else sum(known), f"{self.basis}; {other.basis}")


def machine_cost(instance: str, count: int, use: str, region: str) -> Cost:
    """What running machines cost a day at the on-demand price.

    The price of the use and the region is taken; where none is known, the price of training, and of us-east-1, and
    `basis` says so.

    Args:
        instance: with `ml.`.
        count: machines.
        use: training, notebook or endpoint.
        region: where they run.

    Example:
        >>> machine_cost("ml.g5.xlarge", 2, "training", "us-east-1").basis
        '2 × ml.g5.xlarge at $1.408 an hour (training, us-east-1)'
    """
    for where in dict.fromkeys((region, REGION)):
        for of in dict.fromkeys((use, "training")):
            with contextlib.suppress(InputError):
                price = price_of(instance, of, where)
                assumed = "" if (where, of) == (region, use) else ", assumed"
                text = f"{count} × {instance} at ${price.usd:g} an hour ({of}, {where}{assumed})"
                return Cost(price.usd * 24 * count, text)
    return Cost(None, f"{count} × {instance}, whose price is not known")


def storage_cost(count: float, service: str, use: str, item: str, region: str) -> Cost:
    """What bytes cost a day, from a price for a GB-month (10⁹ bytes, 30.4 days).

    Example:
        >>> round(storage_cost(1e12, "S3", "storage", "standard", "us-east-1").usd_per_day, 2)
        0.76
    """
    for where in dict.fromkeys((region, REGION)):
        with contextlib.suppress(KeyError):
            price = other_price(service, use, item, where)
            assumed = "" if where == region else ", assumed"
            text = f"{count / 1e9:.3g} GB at ${price.usd:g} a GB-month ({where}{assumed})"
            return Cost(price.usd * count / 1e9 / DAYS_A_MONTH, text)
    return Cost(None, f"{count / 1e9:.3g} GB, whose price is not known")


def machines_cost(groups: Sequence[Mapping[str, Any]], use: str, region: str) -> Cost:
    """What groups with `InstanceType` and `InstanceCount` cost a day together."""
    costs = [machine_cost(str(one["InstanceType"]), int(one.get("InstanceCount", 1)), use, region) for one in groups]
    total = costs[0] if costs else Cost(None, "no machine is named")
    for cost in costs[1:]:
        total += cost
    return total

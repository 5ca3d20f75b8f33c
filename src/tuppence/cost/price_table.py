"""`price_table`: prices with their source and age, as a table. `tuppence plan --prices` and `tp.prices` show it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from tuppence.core.errors import InputError
from tuppence.core.table import Table
from tuppence.cost.hardware import INSTANCES, instances
from tuppence.cost.rates import EC2_NEEDS, REGION, Price, check_region, price_of, prices

COURSE = ("ml.t3.medium", "ml.g4dn.2xlarge", "ml.p3.2xlarge", "g4dn.2xlarge", "p3.2xlarge")
"""The instance types that chapter 1 names besides those of a plan."""


def price_table(*items: str, region: str = REGION, today: datetime.date | None = None) -> Table:
    """Prices of instance types in every use, and with the default also those of storage, requests and serverless.

    Args:
        items: instance types, with `ml.` for SageMaker; by default those that a plan compares, on SageMaker and on EC2,
            and those of the course.
        region: of AWS.
        today: the day from which the age is counted.

    Raises:
        InputError: there is no price of a type in the region, or none at all.

    Example:
        >>> price_table("ml.g4dn.xlarge")[0]["US dollars"]
        '$0.7364'
    """
    chosen = chosen_prices(*items, region=region)
    today = today or datetime.date.today()
    sources = list(dict.fromkeys(price.source for price in chosen))
    rows = [[*_row(price, today), str(sources.index(price.source) + 1)] for price in chosen]
    notes = [f"{number}: {source}." for number, source in enumerate(sources, start=1)]
    notes += [f"{name} {reason}." for name, reason in sorted(_refused(chosen).items())]
    columns = ("what", "pays for", "US dollars", "for one", "of the day", "days old", "source")
    right = ("US dollars", "of the day", "days old", "source")
    return Table(columns, rows, title=f"Prices in {region}", notes=notes, right=right, optional=("days old",))


def prices_as_dicts(*items: str, region: str = REGION, today: datetime.date | None = None) -> list[dict[str, Any]]:
    """The same prices for JSON: each with number, unit, region, source, day and age.

    Example:
        >>> prices_as_dicts("ml.g4dn.xlarge")[0]["usd"]
        0.7364
    """
    chosen = chosen_prices(*items, region=region)
    refused = _refused(chosen)
    return [
        {
            **asdict(price),
            "date": price.date.isoformat(),
            "age_days": max(price.age_days(today), 0),
            "refused": refused.get(price.item.removeprefix("ml.")),
        }
        for price in chosen
    ]


def chosen_prices(*items: str, region: str = REGION) -> list[Price]:
    """The prices of `price_table`.

    Raises:
        InputError: there is no price of a type in the region, or none at all.
    """
    check_region(region)
    known = [price for price in prices().values() if price.region == region]
    if not known:
        regions = ", ".join(sorted({price.region for price in prices().values()}))
        raise InputError(
            f"no price in {region} is known, but in {regions}",
            f"tuppence plan --refresh --region {region}{EC2_NEEDS}",
        )
    if items:
        return list(_of_types(items, known, region))
    hourly = [price for price in known if price.unit == "hour"]
    wanted = dict.fromkeys([*INSTANCES, *COURSE[:3], *(name.removeprefix("ml.") for name in INSTANCES), *COURSE[3:]])
    of_types = [price for item in wanted for price in hourly if price.item == item]
    return [*of_types, *(price for price in known if price.unit != "hour")]


def _of_types(items: Iterable[str], known: Sequence[Price], region: str) -> Iterable[Price]:
    for item in items:
        found = [price for price in known if price.item == item and price.unit == "hour"]
        if not found:
            price_of(item, region=region)  # says what is known
            raise InputError(f"no price of {item} is known", "give an instance type")
        yield from found


def _refused(chosen: Iterable[Price]) -> dict[str, str]:
    """The instance types that cannot run our image, and why."""
    names = {price.item.removeprefix("ml.") for price in chosen}
    return {name: one.refused for name, one in instances().items() if one.refused and name in names}


def _row(price: Price, today: datetime.date) -> list[str]:
    what = price.item if price.unit == "hour" else f"{price.service}: {price.item}"
    usd = f"${price.usd:.4f}" if price.usd >= 0.001 else f"${price.usd:.5f}"
    return [what, price.use, usd, price.unit, str(price.date), str(max(price.age_days(today), 0))]

"""`price_table`: prices with their source and age, as a table. `tuppence plan --prices` and `tp.prices` show it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from tuppence.core.errors import InputError
from tuppence.cost.hardware import instances
from tuppence.cost.rates import Price, price_of, prices
from tuppence.cost.table import Table

COURSE = (
    *("ml.t3.medium", "ml.g4dn.xlarge", "ml.g4dn.2xlarge", "ml.g5.xlarge", "ml.g6.xlarge", "ml.g6e.xlarge"),
    *("ml.p3.2xlarge", "ml.p4d.24xlarge", "ml.p5.4xlarge", "ml.p5.48xlarge"),
    *("g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge", "p3.2xlarge"),
)
"""The instance types of the course and their like today."""


def price_table(*items: str, today: datetime.date | None = None) -> Table:
    """Prices of instance types in every use, and with the default also those of storage, requests and serverless.

    Args:
        items: instance types, with `ml.` for SageMaker; those of the course by default.
        today: the day from which the age is counted.

    Raises:
        InputError: there is no price of a type.

    Example:
        >>> price_table("ml.g4dn.xlarge").rows[0][:3]
        ('ml.g4dn.xlarge', 'training', '$0.7364')
    """
    chosen = list(_of_types(items or COURSE))
    if not items:
        chosen += [price for price in prices().values() if price.unit != "hour"]
    today = today or datetime.date.today()
    rows = [_row(price, today) for price in chosen]
    sources = dict.fromkeys(price.source for price in chosen)
    numbers = {source: number for number, source in enumerate(sources, start=1)}
    numbered = tuple((*row, str(numbers[price.source])) for row, price in zip(rows, chosen, strict=True))
    notes = [f"{number}: {source}." for source, number in numbers.items()]
    refused = {price.item.removeprefix("ml.") for price in chosen} & {
        n for n, one in instances().items() if one.refused
    }
    notes += [f"{name} {instances()[name].refused}." for name in sorted(refused)]
    regions = ", ".join(sorted({price.region for price in chosen}))
    columns = ("what", "pays for", ">US dollars", "for one", ">of the day", ">days old", ">source")
    return Table(f"Prices in {regions}", columns, numbered, tuple(notes))


def _of_types(items: Iterable[str]) -> Iterable[Price]:
    known = prices().values()
    for item in items:
        found = [price for price in known if price.item == item and price.unit == "hour"]
        if not found:
            price_of(item)  # says what is known
            raise InputError(f"no price of {item} is known", "give an instance type")
        yield from found


def _row(price: Price, today: datetime.date) -> tuple[str, ...]:
    what = price.item if price.unit == "hour" else f"{price.service}: {price.item}"
    usd = f"${price.usd:.4f}" if price.usd >= 0.001 else f"${price.usd:.5f}"
    return what, price.use, usd, price.unit, str(price.date), str(max(price.age_days(today), 0))

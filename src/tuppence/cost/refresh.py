"""`tuppence plan --refresh`: today's prices of SageMaker, S3 and EC2 from AWS, saved in the user's cache with a date.

The prices of SageMaker and S3 come from AWS's public price list, which needs no account. If its file of SageMaker
cannot be read, the price list API is asked. The prices of EC2 come from the API alone, which needs boto3 and
credentials. What cannot be read stays as it was, and the result says so.
"""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuppence.core.cache import cache_folder
from tuppence.core.errors import InputError, MissingExtraError, TuppenceError
from tuppence.core.files import write_json
from tuppence.cost.price_list import (
    PRICE_LIST,
    api_client,
    ec2_prices,
    sagemaker_prices,
    sagemaker_prices_of_api,
    storage_prices,
)
from tuppence.cost.rates import CACHE_FILE, REGION, Price, check_region


@dataclass(frozen=True)
class Refreshed:
    """What a refresh has saved.

    Attributes:
        prices: all that were read.
        path: the file.
        missing: a sentence for each service whose prices were not read.
    """

    prices: tuple[Price, ...]
    path: Path
    missing: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of prices of each service."""
        return dict(Counter(price.service for price in self.prices))


def refresh(
    region: str = REGION, *, address: str = PRICE_LIST, today: datetime.date | None = None, folder: Path | None = None
) -> Refreshed:
    """Reads the prices of a region from AWS and saves them in the user's cache. Prices of other regions stay there.

    Args:
        address: of the price list; a test gives that of a server of its own.
        folder: where to save; the user's cache by default.

    Raises:
        InputError: the region makes no sense, AWS cannot be reached, or what it answers has no prices of SageMaker.
    """
    check_region(region)
    folder = folder or cache_folder()
    if folder is None:
        raise InputError("there is no home folder to save prices in", "set XDG_CACHE_HOME to a folder")
    day = today or datetime.date.today()
    found = _of_sagemaker(region, day, address)
    others: dict[str, Callable[[], list[Price]]] = {
        "S3": lambda: storage_prices(region, day, address),
        "EC2": lambda: ec2_prices(region, day, api_client()),
    }
    missing = []
    for service, read in others.items():
        try:
            found += read()
        except TuppenceError as error:
            missing.append(f"the prices of {service} are as before: {_reason(error)}")
    path = folder / CACHE_FILE
    kept = [row for row in _saved(path) if row.get("region") != region or row.get("service") not in _services(found)]
    rows = [{**asdict(price), "date": price.date.isoformat()} for price in found]
    write_json(path, {"what": "prices that tuppence plan --refresh has read from AWS", "prices": [*kept, *rows]})
    return Refreshed(tuple(found), path, tuple(missing))


def _of_sagemaker(region: str, today: datetime.date, address: str) -> list[Price]:
    """The prices of the public file, else those of the API. If neither answers, the error is that of the file."""
    try:
        return sagemaker_prices(region, today, address)
    except InputError as error:
        try:
            return sagemaker_prices_of_api(region, today, api_client())
        except MissingExtraError:
            raise error from None
        except TuppenceError as second:
            raise InputError(f"{error.message}; boto3 cannot either: {second.message}", error.hint) from second


def _reason(error: TuppenceError) -> str:
    if isinstance(error, MissingExtraError):
        return f"they need boto3 and credentials ({error.hint})"
    return error.message


def _services(found: list[Price]) -> set[str]:
    return {price.service for price in found}


def _saved(path: Path) -> list[dict[str, Any]]:
    """The rows of an earlier refresh; none if the file is missing or damaged."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["prices"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

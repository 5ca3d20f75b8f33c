"""AWS regions with SageMaker's PyTorch images: account, image URI, partition.

The table is `regions.json`, with its source and date. AWS keeps the images in one account in most regions and in others
in 20 of them. Nothing here uses the network.
"""

from __future__ import annotations

import difflib
import json
from functools import lru_cache
from importlib import resources
from typing import Any

from tuppence.core.errors import InputError


def regions() -> tuple[str, ...]:
    """Returns the codes of all regions in the table, sorted.

    Example:
        >>> "us-east-1" in regions(), len(regions())
        (True, 36)
    """
    return tuple(sorted(_table()["regions"]))


def require_region(region: str) -> str:
    """Returns a region if the table has it.

    Raises:
        InputError: the region is unknown, or has no PyTorch image for SageMaker.
    """
    if region in _table()["regions"]:
        return region
    near = difflib.get_close_matches(region, regions(), n=3, cutoff=0.5) or ["us-east-1", "eu-central-1"]
    raise InputError(
        f"no AWS region {region!r} with SageMaker's PyTorch images is known",
        f"regions are for example {', '.join(near)}",
    )


def is_china(region: str) -> bool:
    """Whether a region belongs to AWS China, which has accounts, prices and host names of its own."""
    return region.startswith("cn-")


def partition(region: str) -> str:
    """Returns the second part of every ARN in a region.

    Example:
        >>> partition("eu-central-1"), partition("cn-north-1")
        ('aws', 'aws-cn')
    """
    return "aws-cn" if is_china(region) else "aws"


def image_account(region: str) -> str:
    """Returns the number of the AWS account that holds the deep learning containers of a region.

    Raises:
        InputError: the region is unknown.
    """
    return str(_table()["regions"][require_region(region)]["account"])


def image_uri(region: str, *, gpu: bool) -> str:
    """Returns the URI of the official PyTorch 2.13 training image for SageMaker in a region.

    Args:
        region: code of the region, such as "us-east-1".
        gpu: whether the image is the one for CUDA 13.3, or the one for CPUs.

    Raises:
        InputError: the region is unknown.

    Example:
        >>> image_uri("us-east-1", gpu=True)
        '763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.13-cu133-amzn2023-sagemaker'
        >>> image_uri("cn-north-1", gpu=False)
        '727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch:2.13-cpu-amzn2023-sagemaker'
    """
    images = _table()["images"]
    host = f"{image_account(region)}.dkr.ecr.{region}.amazonaws.com{'.cn' if is_china(region) else ''}"
    return f"{host}/{images['repository']}:{images['gpu' if gpu else 'cpu']}"


def image_facts() -> dict[str, str]:
    """Returns what the images contain: `torch`, `python`, `patched_until` (a date), and the `source` of all this.

    Example:
        >>> image_facts()["torch"], image_facts()["python"]
        ('2.13.0', '3.12')
    """
    table = _table()
    facts = {key: str(table["images"][key]) for key in ("torch", "python", "patched_until")}
    source = table["sources"]["images"]
    return facts | {"source": f"{source['text']}, {source['date']}"}


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = resources.files("tuppence.aws").joinpath("regions.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table

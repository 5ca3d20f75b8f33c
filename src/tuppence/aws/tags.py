"""Names and tags of everything that tuppence creates on AWS.

Every resource has a name that begins with `tuppence-` and the tag `created-by: tuppence`. The sweep recognizes them by
either, and the budget of the stack counts what has the tag. Nothing here uses the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tuppence.core.errors import InputError

PREFIX = "tuppence-"
"""Beginning of the name of every resource."""

OWNER = ("created-by", "tuppence")
"""Key and value of the tag that every resource has."""

KIND_KEY = "tuppence-kind"
"""Key of the tag that says what a resource is: training-job, processing-job, endpoint, model, stack, …"""

LONGEST_NAME = 63
"""Longest name of a training job, an endpoint and a bucket, in characters."""

_TAG_TEXT = re.compile(r"[\w\s.:/=+@-]*", re.UNICODE)  # of AWS, for keys and values


def tags(kind: str, **more: str) -> list[dict[str, str]]:
    """Returns the tags of a new resource, as `Tags` of most AWS calls and of CloudFormation.

    Args:
        kind: what the resource is, such as "training-job".
        more: further tags. An underscore in a key becomes a hyphen, and the key begins with `tuppence-`.

    Raises:
        InputError: AWS does not accept a value as a tag.

    Example:
        >>> tags("training-job", run="tiny")[1:]
        [{'Key': 'tuppence-kind', 'Value': 'training-job'}, {'Key': 'tuppence-run', 'Value': 'tiny'}]
    """
    found = {OWNER[0]: OWNER[1], KIND_KEY: kind}
    found |= {PREFIX + key.replace("_", "-"): value for key, value in more.items()}
    for key, value in found.items():
        if len(value) > 256 or not _TAG_TEXT.fullmatch(value):
            raise InputError(
                f"{value[:80]!r} cannot be the value of the tag {key}",
                "use up to 256 letters, digits, spaces and the characters . : / = + @ _ -",
            )
    return [{"Key": key, "Value": value} for key, value in found.items()]


def as_mapping(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Returns the `Tags` of an answer of AWS as key → value.

    Example:
        >>> as_mapping([{"Key": "created-by", "Value": "tuppence"}])
        {'created-by': 'tuppence'}
    """
    return {str(tag.get("Key", tag.get("key"))): str(tag.get("Value", tag.get("value", ""))) for tag in tags}


def is_ours(name: str, tags: Mapping[str, str] | None = None) -> bool:
    """Whether tuppence created a resource, by its name or its tags.

    Args:
        name: the name, or the last part of the ARN. A log group's name may have the prefix after a `/`.
        tags: key → value, where they are known.

    Example:
        >>> is_ours("tuppence-tiny"), is_ours("shop"), is_ours("shop", {"created-by": "tuppence"})
        (True, False, True)
    """
    return name.startswith(PREFIX) or f"/{PREFIX}" in name or (tags or {}).get(OWNER[0]) == OWNER[1]


def name_of(*parts: str, longest: int = LONGEST_NAME) -> str:
    """Returns the name of a resource: the prefix and the parts, with hyphens in place of all other characters.

    The result fits SageMaker's pattern `[a-zA-Z0-9](-*[a-zA-Z0-9])*`. If it is too long, the first parts are shortened
    and the last part, which makes a name unique, is kept.

    Raises:
        InputError: no letter or digit is left, or the last part alone is too long.

    Example:
        >>> name_of("my run_1", "20261128-1200")
        'tuppence-my-run-1-20261128-1200'
    """
    clean = [re.sub(r"[^a-zA-Z0-9]+", "-", part).strip("-") for part in parts]
    clean = [part for part in clean if part]
    if not clean:
        raise InputError(f"{' '.join(parts)!r} has no letter and no digit", "give a name with one")
    *first, last = clean
    room = longest - len(PREFIX) - len(last)
    if room < 0:
        raise InputError(f"{last!r} is too long for a name on AWS", f"use up to {longest - len(PREFIX)} characters")
    start = "-".join(first)[: max(room - 1, 0)].strip("-")
    return PREFIX + (f"{start}-{last}" if start else last)

"""Numbers on their way into JSON, which has neither NaN nor infinity."""

from __future__ import annotations

from typing import Any


def finite_or_none(value: Any) -> Any:
    """`value` with every float that is NaN or infinite replaced by None, inside dictionaries and lists too.

    Example:
        >>> finite_or_none({"loss": float("nan"), "steps": [1, float("inf")]})
        {'loss': None, 'steps': [1, None]}
    """
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: finite_or_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(item) for item in value]
    return value

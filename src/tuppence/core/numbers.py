"""Numbers for JSON, which has neither NaN nor infinity, and durations for people."""

from __future__ import annotations

from typing import Any


def finite_or_none(value: Any) -> Any:
    """Returns `value` with every NaN or infinite float replaced by None, also inside dictionaries and lists.

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


def duration(seconds: float) -> str:
    """Formats seconds in the two largest units, without a second one that is zero.

    Example:
        >>> [duration(value) for value in (0.4, 42, 300, 605, 7200, 7322)]
        ['0.4 s', '42 s', '5 min', '10 min 5 s', '2 h', '2 h 2 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small = (whole // 60, whole % 60) if whole < 3600 else (whole // 3600, whole % 3600 // 60)
    units = ("min", "s") if whole < 3600 else ("h", "min")
    return f"{large:,} {units[0]}" + (f" {small} {units[1]}" if small else "")

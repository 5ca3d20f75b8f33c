"""Formats numbers, times and foreign text for pages and axes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CONTROLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"} | {0x7F: 0x2421}
_CONTROLS |= dict.fromkeys(range(0x80, 0xA0), 0xFFFD)  # C1 controls, which have no symbols
_CONTROLS |= dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)  # half characters, which UTF-8 cannot encode


def printable(text: str) -> str:
    """Replaces every character that HTML, SVG or UTF-8 cannot hold by a visible symbol.

    Example:
        >>> printable("bell\\x07 and half \\ud83d")
        'bell␇ and half �'
    """
    return text.translate(_CONTROLS)


def count_label(value: float, _: object = None) -> str:
    """Formats a number for an axis: 1,500 → 1.5k.

    Example:
        >>> [count_label(value) for value in (0, 250, 1_500, 20_000, 3_500_000, 2e9)]
        ['0', '250', '1.5k', '20k', '3.5M', '2G']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def size_label(value: float, _: object = None) -> str:
    """Formats a number of parameters or tokens: 124,439,808 → 124M.

    Example:
        >>> [size_label(value) for value in (12, 57_000, 124_439_808, 1.558e9, 1.76e12)]
        ['12', '57k', '124M', '1.56B', '1.76T']
    """
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def rate_label(value: float, _: object = None) -> str:
    """Formats a learning rate.

    Example:
        >>> [rate_label(value) for value in (0.0, 1e-3, 0.0025, 1.0)]
        ['0', '1e-3', '2.5e-3', '1e0']
    """
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def dollars_label(value: float, _: object = None) -> str:
    """Formats dollars; amounts below one dollar have up to four decimals.

    Example:
        >>> [dollars_label(value) for value in (0, 0.0123, 0.1, 2.5, 1234)]
        ['$0.00', '$0.0123', '$0.10', '$2.50', '$1,234.00']
    """
    if value >= 1 or value == 0:
        return f"${value:,.2f}"
    whole, _, fraction = f"{value:.4f}".partition(".")
    return f"${whole}.{fraction.rstrip('0'):0<2}"


def number(value: float) -> str:
    """Formats a number: large ones in short form, small ones in full.

    Example:
        >>> [number(value) for value in (1_520_000, 12_345, 158.2)]
        ['1.52M', '12,345', '158.2']
    """
    if value >= 1e6:
        return f"{value / 1e9:.2f}B" if value >= 1e9 else f"{value / 1e6:.2f}M"
    return f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else f"{value:,.1f}"


def moment(value: Any) -> str:
    """Formats an ISO time to the minute; any other value is converted to a string.

    Example:
        >>> moment("2026-01-05T10:00:31.5Z")
        '2026-01-05 10:00 UTC'
    """
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(Z|\+00:00)?", str(value))
    return f"{found[1]} {found[2]}{' UTC' if found[3] else ''}" if found else str(value)


def setting(value: Any) -> str | None:
    """Formats a value of a config; None for None.

    Example:
        >>> [setting(value) for value in (True, 20_000, 0.001, [1, {"lr": 2}])]
        ['yes', '20,000', '0.001', '1, lr: 2']
    """
    if value is None or isinstance(value, bool):
        return {None: None, True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {setting(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(setting(item)) for item in value)
    return str(value)


def shorten(text: Any, longest: int) -> str:
    """Cuts a text to at most `longest` characters, with an ellipsis."""
    whole = str(text)
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"

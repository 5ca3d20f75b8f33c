"""Values as short texts: the input of a failed property, and what the function gave."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tuppence.core.console import one_line
from tuppence.exercises.plain import Other

MOST_NUMBERS = 24
MOST_CHARACTERS = 300


def show(value: Any) -> str:
    """Returns a value on one line, without control characters.

    Example:
        >>> import torch
        >>> show(torch.tensor([[1.0, 0.25]])), show(b"hug")
        ('tensor of shape (1, 2): [[1, 0.25]]', "b'hug'")
    """
    text = one_line(_text(value))
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + " …"


def _text(value: Any) -> str:
    if isinstance(value, Tensor):
        kind = "" if value.dtype.is_floating_point else f" and type {str(value.dtype).removeprefix('torch.')}"
        numbers = value.tolist() if value.numel() <= MOST_NUMBERS else value.flatten()[:MOST_NUMBERS].tolist()
        if value.ndim == 0:
            return _text(numbers)
        more = ", …" if value.numel() > MOST_NUMBERS else ""
        shown = _text(numbers)
        return f"tensor of shape {tuple(value.shape)}{kind}: {shown[:-1]}{more}]"
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value[: 4 * MOST_NUMBERS]))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_text(key)}: {_text(item)}" for key, item in list(value.items())[-MOST_NUMBERS:]) + "}"
        )
    if isinstance(value, Other):
        return value.text or value.type_name
    return repr(value)

"""Values as short texts: the input of a failed property, and what the function gave."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tuppence.core.console import one_line
from tuppence.exercises.plain import Other

MOST_NUMBERS = 48
FIRST_NUMBERS = 12
MOST_CHARACTERS = 600


def show(value: Any) -> str:
    """Returns a value on one line, without control characters.

    Example:
        >>> import torch
        >>> show(torch.tensor([[1.0, 0.25]])), show(b"hug")
        ('tensor of shape (1, 2), float32: [[1, 0.25]]', "b'hug'")
    """
    text = one_line(_text(value))
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + " …"


def is_cut(value: Any) -> bool:
    """Whether `show` leaves out numbers of a value."""
    parts = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else ()
    if isinstance(value, Tensor):
        return value.numel() > MOST_NUMBERS
    return any(map(is_cut, parts)) or len(_text(value)) > MOST_CHARACTERS


def _text(value: Any) -> str:
    if isinstance(value, Tensor):
        if value.ndim == 0:
            return _text(value.item())
        kind = f"tensor of shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
        if value.numel() <= MOST_NUMBERS:
            return f"{kind}: {_text(value.tolist())}"
        return f"{kind}, {value.numel():,} numbers: {_text(value.flatten()[:FIRST_NUMBERS].tolist())[1:-1]}, …"
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

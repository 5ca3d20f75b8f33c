"""Values as JSON and back: how the arguments and results of a learner's function travel between two processes.

Numbers, texts, bytes, lists, tuples, dicts, tensors and NumPy arrays keep their types. Anything else arrives as an
`Other`, which has the name of the type and a short text. Nothing here executes what it reads: there is no pickle, and
the sizes of tensors are checked against their bytes.
"""

from __future__ import annotations

import base64
import json
import math
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LARGEST_BYTES = 8 * 2**20
"""Largest message. The results of the exercises have a few kilobytes."""

DEEPEST = 20
TEXT_LENGTH = 60

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
_TAG = "is"


class TooLargeError(ValueError):
    """A value has more than `LARGEST_BYTES`."""


class NotPlainError(ValueError):
    """A message is not one that `dumps` wrote."""


@dataclass(frozen=True)
class Other:
    """A value whose type cannot travel.

    Attributes:
        type_name: its type.
        text: the beginning of its `repr`.
    """

    type_name: str
    text: str


def dumps(value: Any) -> bytes:
    """Encodes a value as one line of JSON.

    Raises:
        TooLargeError: it has more than `LARGEST_BYTES`.

    Example:
        >>> dumps([1, 2.5, b"a"])
        b'[1, 2.5, {"is": "bytes", "base64": "YQ=="}]\\n'
    """
    line = json.dumps(_pack(value, DEEPEST), allow_nan=False).encode() + b"\n"
    if len(line) > LARGEST_BYTES:
        raise TooLargeError("a result is larger than 8 MiB")
    return line


def loads(line: bytes) -> Any:
    """Decodes what `dumps` encoded.

    Raises:
        NotPlainError: it is something else.

    Example:
        >>> loads(dumps({b"key": (torch.tensor([1.0]), float("inf"))}))
        {b'key': (tensor([1.]), inf)}
    """
    try:
        return _unpack(json.loads(line))
    except (ValueError, TypeError, KeyError, RecursionError, RuntimeError) as error:
        raise NotPlainError("not a message of plain values") from error


def _pack(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | str):
        return value if not isinstance(value, str) or type(value) is str else str(value)
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else {_TAG: "int", "hex": hex(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_TAG: "float", "text": repr(float(value))}
    if isinstance(value, bytes | bytearray):
        return {_TAG: "bytes", "base64": _base64(bytes(value))}
    if isinstance(value, Tensor):
        return _pack_tensor(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        return _pack_array(value, depth)
    if depth == 0:
        return _other(value)
    if isinstance(value, list):
        return [_pack(item, depth - 1) for item in value]
    if isinstance(value, tuple):
        return {_TAG: "tuple", "items": [_pack(item, depth - 1) for item in value]}
    if isinstance(value, dict):
        pairs = [[_pack(key, depth - 1), _pack(item, depth - 1)] for key, item in value.items()]
        return {_TAG: "dict", "items": pairs}
    return _other(value)


def _pack_tensor(tensor: Tensor) -> Any:
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _DTYPES or tensor.layout != torch.strided or tensor.is_meta:
        return _other(tensor)
    if tensor.numel() * tensor.element_size() > LARGEST_BYTES:
        raise TooLargeError(f"a tensor of the shape {tuple(tensor.shape)} is larger than 8 MiB")
    plain = torch.empty(tensor.numel(), dtype=tensor.dtype).copy_(tensor.detach().reshape(-1))  # an expanded tensor too
    content = plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    return {_TAG: "tensor", "dtype": name, "shape": list(tensor.shape), "base64": _base64(content)}


def _pack_array(array: Any, depth: int) -> Any:
    if array.ndim == 0:
        item = array.item()
        return _pack(item, depth) if isinstance(item, int | float | str | bytes) else _other(array)
    try:
        return _pack_tensor(torch.from_numpy(array.copy()))
    except (TypeError, ValueError):  # numpy: an array of objects or of texts
        return _other(array)


def _other(value: Any) -> Any:
    try:
        text = repr(value)[:TEXT_LENGTH]
    except Exception:
        text = "?"
    return {_TAG: "other", "type": type(value).__name__, "text": text}


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value[_TAG]
    if kind == "tensor":
        return _unpack_tensor(value)
    if kind == "bytes":
        return _bytes(value["base64"])
    if kind == "int":
        return int(value["hex"], 16)
    if kind == "float":
        return float(value["text"])
    if kind == "tuple":
        return tuple(_unpack(item) for item in value["items"])
    if kind == "dict":
        return {_unpack(key): _unpack(item) for key, item in value["items"]}
    if kind == "other":
        return Other(str(value["type"]), str(value["text"]))
    raise NotPlainError(f"unknown kind {kind!r}")


def _unpack_tensor(value: Any) -> Tensor:
    dtype, shape, content = _DTYPES[value["dtype"]], [int(size) for size in value["shape"]], _bytes(value["base64"])
    if min(shape, default=1) < 0 or len(content) != math.prod(shape) * dtype.itemsize:
        raise NotPlainError("a tensor whose shape does not fit its bytes")
    return (torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)).view(shape)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

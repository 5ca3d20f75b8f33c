"""Values travel unchanged, and nothing that arrives is executed or trusted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from tuppence.exercises.plain import NotPlainError, Other, TooLargeError, dumps, loads


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -(2**70), 0.5, math.inf, "naïve \ud800 \x1b", b"\xff", [], [1, [2]], (1,), {b"a": 1, 2: "b"}],
)
def test_values_travel_unchanged(value: Any) -> None:
    back = loads(dumps(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_tensors_travel_unchanged(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = torch.ones(shape).to(dtype)
    back = loads(dumps(tensor))
    assert back.dtype == dtype
    assert torch.equal(back, tensor)


def test_a_view_travels_as_the_tensor_it_shows() -> None:
    tensor = torch.arange(6.0, requires_grad=True).view(2, 3).T
    assert torch.equal(loads(dumps(tensor)), tensor)
    assert torch.equal(loads(dumps(torch.ones(1).expand(1, 3))), torch.ones(1, 3))


def test_numpy_arrives_as_tensors_and_numbers() -> None:
    assert torch.equal(loads(dumps(np.arange(3))), torch.arange(3))
    assert loads(dumps(np.float64(2.5))) == 2.5
    assert isinstance(loads(dumps(np.array([object()]))), Other)


def test_nan_travels() -> None:
    assert math.isnan(loads(dumps(math.nan)))


def test_anything_else_arrives_as_its_type_and_a_short_text() -> None:
    class Thing:
        def __repr__(self) -> str:
            return "x" * 1000

    assert loads(dumps([Thing(), {1}, torch.ones(2, device="meta")])) == [
        Other("Thing", "x" * 60),
        Other("set", "{1}"),
        Other("Tensor", "tensor(..., device='meta', size=(2,))"),
    ]


def test_a_list_that_contains_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert dumps(endless)


def test_a_large_value_is_refused() -> None:
    with pytest.raises(TooLargeError):
        dumps(torch.zeros(2**22))
    with pytest.raises(TooLargeError):
        dumps("x" * 2**23)


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b'{"is": "module", "name": "os"}',
        b'{"no": "tag"}',
        b'{"is": "tensor", "dtype": "float32", "shape": [1000000], "base64": ""}',
        b'{"is": "tensor", "dtype": "float32", "shape": [-1], "base64": "AAAAAA=="}',
        b'{"is": "tensor", "dtype": "object", "shape": [0], "base64": ""}',
        b'{"is": "dict", "items": [[[1], 2]]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(NotPlainError):
        loads(line)

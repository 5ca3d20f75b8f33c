"""Values are shown on one line, with shape and type, and large ones are cut."""

from __future__ import annotations

import math

import pytest
import torch

from tuppence.exercises.plain import Other
from tuppence.exercises.showing import MOST_NUMBERS, is_cut, show


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.tensor([[1.0, 0.25]], dtype=torch.float16), "tensor of shape (1, 2), float16: [[1, 0.25]]"),
        (torch.tensor([True, False]), "tensor of shape (2,), bool: [True, False]"),
        (torch.tensor([3]), "tensor of shape (1,), int64: [3]"),
        (torch.tensor(math.nan), "nan"),
        (torch.zeros(0, 2), "tensor of shape (0, 2), float32: []"),
        ((b"hug", 1), "(b'hug', 1)"),
        (("a",), "('a',)"),
        ({b"h": 0}, "{b'h': 0}"),
        ([None, True, 1e-9], "[None, True, 1e-09]"),
        (Other("Widget", ""), "Widget"),
        ("a\nb\x1b[2J", "'a\\nb\\x1b[2J'"),
    ],
)
def test_a_value_is_one_line(value: object, text: str) -> None:
    assert show(value) == text
    assert not is_cut(value)


def test_a_large_tensor_is_cut_and_says_how_many_numbers_it_has() -> None:
    assert not is_cut(torch.zeros(MOST_NUMBERS))
    large = torch.arange(1200.0).view(30, 40)
    assert is_cut(large)
    assert is_cut({"x": [large]})
    assert show(large).startswith("tensor of shape (30, 40), float32, 1,200 numbers: 0, 1, 2, ")
    assert show(large).endswith(", …")


def test_a_long_text_is_cut() -> None:
    assert is_cut("x" * 5000)
    assert len(show("x" * 5000)) < 700

"""What is left of a text: how much, in which order, and never nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tuppence.tasks.augmentation import SHORTEST_CROP, leave_out

LENGTHS_B = torch.arange(2000) % 40 + 1
TOKENS_BT = torch.arange(1, 41).repeat(2000, 1).where(torch.arange(40) < LENGTHS_B[:, None], 0)
"""Texts of 1 to 40 tokens; a token's id is its place, from 1, and padding is 0."""


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def texts(tokens_BT: Tensor, lengths_B: Tensor) -> list[list[int]]:
    return [row[:length] for row, length in zip(tokens_BT.tolist(), lengths_B.tolist(), strict=True)]


@pytest.mark.parametrize(("word_dropout", "crop"), [(0.3, 0.0), (0.0, 1.0), (0.3, 0.5), (0.99, 1.0)])
def test_what_is_left_keeps_its_order_holds_no_padding_and_is_never_nothing(word_dropout: float, crop: float) -> None:
    for text in texts(*leave_out(TOKENS_BT, LENGTHS_B, word_dropout=word_dropout, crop=crop)):
        assert text
        assert 0 not in text
        assert text == sorted(set(text))


def test_word_dropout_leaves_out_its_share() -> None:
    _, left_B = leave_out(TOKENS_BT, LENGTHS_B, word_dropout=0.3)
    assert float(left_B.sum() / LENGTHS_B.sum()) == pytest.approx(0.7, abs=0.01)


def test_a_crop_is_an_unbroken_part_of_a_quarter_or_more() -> None:
    for text, length in zip(texts(*leave_out(TOKENS_BT, LENGTHS_B, crop=1.0)), LENGTHS_B.tolist(), strict=True):
        assert text == list(range(text[0], text[0] + len(text)))
        assert SHORTEST_CROP * length <= len(text) <= length


def test_crops_come_from_the_whole_text_and_of_the_share_of_texts_that_was_asked_for() -> None:
    long = TOKENS_BT[39:40].expand(4000, -1)
    lengths_B = torch.full((4000,), 40)
    found = texts(*leave_out(long, lengths_B, crop=1.0))
    assert {text[0] for text in found} >= set(range(1, 27))
    assert {text[-1] for text in found} >= set(range(15, 41))
    assert sum(map(len, found)) / (4000 * 40) == pytest.approx((1 + SHORTEST_CROP) / 2, abs=0.02)
    whole = [len(text) == 40 for text in texts(*leave_out(long, lengths_B, crop=0.4))]
    assert sum(whole) / 4000 == pytest.approx(0.6, abs=0.04)


def test_without_either_a_text_stays_as_it_is() -> None:
    tokens_BT, lengths_B = leave_out(TOKENS_BT, LENGTHS_B)
    assert torch.equal(tokens_BT, TOKENS_BT)
    assert torch.equal(lengths_B, LENGTHS_B)

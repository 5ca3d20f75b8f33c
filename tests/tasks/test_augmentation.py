"""What is left of a text: how much, in which order, and never nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tuppence.tasks.augmentation import SHORTEST_CROP, leave_out

LENGTHS = [number % 40 + 1 for number in range(2000)]


def parts(lengths: list[int], *, word_dropout: float = 0.0, crop: float = 0.0) -> list[list[int]]:
    """What is left of texts of these lengths; a token's id is its place."""
    generator = np.random.default_rng(0)
    return [
        leave_out(np.arange(length), generator, word_dropout=word_dropout, crop=crop).tolist() for length in lengths
    ]


@pytest.mark.parametrize(("word_dropout", "crop"), [(0.3, 0.0), (0.0, 1.0), (0.3, 0.5), (0.99, 1.0)])
def test_what_is_left_keeps_its_order_and_is_never_nothing(word_dropout: float, crop: float) -> None:
    for part, length in zip(parts(LENGTHS, word_dropout=word_dropout, crop=crop), LENGTHS, strict=True):
        assert part
        assert part == sorted(set(part))
        assert part[-1] < length


def test_word_dropout_leaves_out_its_share() -> None:
    left = sum(map(len, parts(LENGTHS, word_dropout=0.3)))
    assert left / sum(LENGTHS) == pytest.approx(0.7, abs=0.01)


def test_a_crop_is_an_unbroken_part_of_a_quarter_or_more() -> None:
    for part, length in zip(parts(LENGTHS, crop=1.0), LENGTHS, strict=True):
        assert part == list(range(part[0], part[0] + len(part)))
        assert SHORTEST_CROP * length <= len(part) <= length


def test_crops_come_from_the_whole_text_and_of_the_share_of_texts_that_was_asked_for() -> None:
    found = parts([40] * 4000, crop=1.0)
    assert {part[0] for part in found} >= set(range(26))
    assert {part[-1] for part in found} >= set(range(14, 40))
    assert sum(map(len, found)) / (4000 * 40) == pytest.approx((1 + SHORTEST_CROP) / 2, abs=0.02)
    whole = [len(part) == 40 for part in parts([40] * 4000, crop=0.4)]
    assert sum(whole) / 4000 == pytest.approx(0.6, abs=0.04)


def test_without_either_a_text_stays_as_it_is() -> None:
    assert parts(LENGTHS) == [list(range(length)) for length in LENGTHS]

"""Random deletions of tokens: their share, the order of the rest, and that a token is always kept."""

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
def test_kept_tokens_keep_their_order_and_one_is_always_kept(word_dropout: float, crop: float) -> None:
    for part, length in zip(parts(LENGTHS, word_dropout=word_dropout, crop=crop), LENGTHS, strict=True):
        assert part
        assert part == sorted(set(part))
        assert part[-1] < length


def test_word_dropout_removes_its_share_of_the_tokens() -> None:
    left = sum(map(len, parts(LENGTHS, word_dropout=0.3)))
    assert left / sum(LENGTHS) == pytest.approx(0.7, abs=0.01)


def test_a_crop_is_contiguous_and_at_least_a_quarter_of_the_text() -> None:
    for part, length in zip(parts(LENGTHS, crop=1.0), LENGTHS, strict=True):
        assert part == list(range(part[0], part[0] + len(part)))
        assert SHORTEST_CROP * length <= len(part) <= length


def test_crops_start_anywhere_and_the_given_share_of_texts_is_cropped() -> None:
    found = parts([40] * 4000, crop=1.0)
    assert {part[0] for part in found} >= set(range(26))
    assert {part[-1] for part in found} >= set(range(14, 40))
    assert sum(map(len, found)) / (4000 * 40) == pytest.approx((1 + SHORTEST_CROP) / 2, abs=0.02)
    whole = [len(part) == 40 for part in parts([40] * 4000, crop=0.4)]
    assert sum(whole) / 4000 == pytest.approx(0.6, abs=0.04)


def test_without_word_dropout_and_crop_a_text_is_unchanged() -> None:
    assert parts(LENGTHS) == [list(range(length)) for length in LENGTHS]

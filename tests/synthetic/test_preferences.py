"""Made-up preferences: distinct pairs, and neither length nor single words tell the chosen answer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from tuppence.core.errors import InputError
from tuppence.synthetic.preferences import PreferenceRow, flawed_preference, iter_preferences

_TRAIN = 4_000


@pytest.fixture(scope="module")
def rows() -> list[PreferenceRow]:
    return list(iter_preferences(5_000, seed=0))


def test_a_row_depends_on_seed_and_index_only(rows: list[PreferenceRow]) -> None:
    assert list(iter_preferences(50, seed=0)) == rows[:50]
    assert list(iter_preferences(50, seed=1)) != rows[:50]


def test_the_two_answers_of_a_row_differ(rows: list[PreferenceRow]) -> None:
    assert all(row.chosen != row.rejected for row in rows)


def test_almost_all_rows_are_distinct(rows: list[PreferenceRow]) -> None:
    assert len(set(rows[:3_000])) == 2_998
    assert len({row.prompt for row in rows}) > 4_500


def test_two_seeds_have_no_row_in_common(rows: list[PreferenceRow]) -> None:
    assert set(rows).isdisjoint(iter_preferences(3_000, seed=1))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bag_of_words_ranks_only_a_part_of_the_pairs(seed: int) -> None:
    made = list(iter_preferences(5_000, seed))
    sign = np.random.default_rng(0).choice([-1, 1], len(made))
    for words in ((1, 1), (1, 2)):
        vectorizer = TfidfVectorizer(ngram_range=words, token_pattern=r"(?u)\b\w+\b")
        vectorizer.fit([text for row in made[:_TRAIN] for text in (row.chosen, row.rejected)])
        features = [vectorizer.transform([getattr(row, which) for row in made]) for which in ("chosen", "rejected")]
        difference = (features[0] - features[1]).multiply(sign[:, None]).tocsr()
        for strength in (1, 10):
            model = LogisticRegression(C=strength, fit_intercept=False, max_iter=1_000)
            model.fit(difference[:_TRAIN], sign[:_TRAIN])
            assert 0.60 < model.score(difference[_TRAIN:], sign[_TRAIN:]) < 0.80


def test_the_longer_answer_is_as_often_the_rejected_one(rows: list[PreferenceRow]) -> None:
    longer = np.array([len(row.chosen) - len(row.rejected) for row in rows])
    assert 0.44 < (longer > 0).mean() < 0.56
    # nor does any threshold on the difference, in either direction, tell much
    sign = np.random.default_rng(1).choice([-1, 1], len(rows))
    for threshold in range(-150, 151, 5):
        right = ((longer * sign > threshold) == (sign > 0)).mean()
        assert 0.4 < right < 0.6


def test_wrong_and_cut_off_answers_do_not_contain_the_right_one() -> None:
    for index in range(3_000):
        row, flaw = flawed_preference(3, index)
        core = max(row.chosen.split(". "), key=len).rstrip(".")
        if flaw in ("wrong", "off topic", "broken off") and len(core) > 30:
            assert row.rejected.rstrip(".") != core, row


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(InputError, match="cannot make -1 pairs"):
        iter_preferences(-1, seed=0)

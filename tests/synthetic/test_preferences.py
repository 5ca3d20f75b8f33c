"""Made-up preferences: the chosen answer is the right one, and neither length nor single words give it away."""

from __future__ import annotations

import doctest
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from tuppence.core.errors import InputError
from tuppence.synthetic import preferences
from tuppence.synthetic.preferences import PreferenceRow, flawed_preference, iter_preferences
from tuppence.synthetic.requests import FLAWS

_TRAIN = 4_000


@pytest.fixture(scope="module")
def rows() -> list[PreferenceRow]:
    return list(iter_preferences(5_000, seed=0))


def test_a_row_depends_on_its_seed_and_place_alone(rows: list[PreferenceRow]) -> None:
    assert list(iter_preferences(50, seed=0)) == rows[:50]
    assert list(iter_preferences(50, seed=1)) != rows[:50]


def test_almost_all_rows_differ(rows: list[PreferenceRow]) -> None:
    assert len(set(rows)) > 4_950
    assert len({row.prompt for row in rows}) > 4_500


def test_the_two_answers_always_differ_and_are_clean_text(rows: list[PreferenceRow]) -> None:
    for row in rows:
        assert row.chosen != row.rejected
        for text in (row.prompt, row.chosen, row.rejected):
            assert text.isascii()
            assert text == text.strip()
            assert text
            assert not set(text) & set("{}[]<>|@\t"), text
            assert "  " not in text
        assert row.chosen[0].isupper()
        assert row.chosen[-1] in ".!"


@pytest.mark.parametrize("seed", [0, 1])
def test_counting_words_ranks_some_pairs_and_far_from_all(seed: int) -> None:
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


def test_the_longer_answer_is_as_often_the_worse_one(rows: list[PreferenceRow]) -> None:
    longer = np.array([len(row.chosen) - len(row.rejected) for row in rows])
    assert 0.44 < (longer > 0).mean() < 0.56
    # nor does any threshold on the difference, in either direction, tell much
    sign = np.random.default_rng(1).choice([-1, 1], len(rows))
    for threshold in range(-150, 151, 5):
        right = ((longer * sign > threshold) == (sign > 0)).mean()
        assert 0.4 < right < 0.6


def test_every_flaw_comes_as_often_as_it_says() -> None:
    flaws = Counter(flawed_preference(2, index)[1] for index in range(5_000))
    for flaw, weight in FLAWS.items():
        assert flaws[flaw] / 50 == pytest.approx(weight, abs=3)


def test_only_rude_and_rambling_answers_may_hold_the_right_one() -> None:
    for index in range(3_000):
        row, flaw = flawed_preference(3, index)
        core = max(row.chosen.split(". "), key=len).rstrip(".")
        if flaw in ("wrong", "off topic", "broken off") and len(core) > 30:
            assert row.rejected.rstrip(".") != core, row


def test_bad_wishes_are_refused() -> None:
    with pytest.raises(InputError, match="cannot make -1 pairs"):
        iter_preferences(-1, seed=0)


def test_the_examples_hold() -> None:
    assert doctest.testmod(preferences).attempted > 0
    assert doctest.testmod(preferences).failed == 0

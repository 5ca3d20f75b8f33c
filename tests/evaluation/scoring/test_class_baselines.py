"""The baselines are trained on the training rows alone, and as scikit-learn would."""

from __future__ import annotations

import numpy as np
import pytest

from tuppence.data.records.labelled import LabelledText
from tuppence.evaluation.scoring.class_baselines import majority_class, word_counts

LABELS = ["ham", "spam"]
TRAIN = [LabelledText(f"see you at noon {n}", "ham") for n in range(30)]
TRAIN += [LabelledText(f"you have won £{n} call now!!!", "spam") for n in range(10)]
VALIDATION = [LabelledText("see you at seven", "ham"), LabelledText("won a prize!!!", "spam")]


def test_the_majority_class_predicts_the_label_frequencies() -> None:
    np.testing.assert_allclose(majority_class(TRAIN, LABELS, rows=3), [[0.75, 0.25]] * 3)


def test_word_counts_learn_from_words() -> None:
    found = word_counts(TRAIN, VALIDATION, LABELS, ["won £7 call", "noon see"])
    assert found.argmax(axis=1).tolist() == [1, 0]
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_word_counts_equal_a_pipeline_of_scikit_learn() -> None:
    text, linear = pytest.importorskip("sklearn.feature_extraction.text"), pytest.importorskip("sklearn.linear_model")
    counter = text.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    features = counter.fit_transform([row.text for row in TRAIN])
    gold = [row.label for row in TRAIN]
    asked = ["call me at noon", "you won"]
    ours = word_counts(TRAIN, VALIDATION, LABELS, asked)
    candidates = [
        linear.LogisticRegression(C=strength, max_iter=1000).fit(features, gold).predict_proba(counter.transform(asked))
        for strength in (1, 10, 100)
    ]
    assert any(np.allclose(ours, one, atol=1e-6) for one in candidates)


def test_a_label_that_no_training_row_has_gets_no_probability() -> None:
    found = word_counts(TRAIN, VALIDATION, ["eggs", "ham", "spam"], ["see you"])
    assert found.shape == (1, 3)
    assert found[0, 0] == 0


def test_texts_of_marks_alone_are_no_error() -> None:
    rows = [LabelledText("!!!", "a"), LabelledText("???", "b")] * 3
    assert word_counts(rows, rows, ["a", "b"], ["!", "雨"])[0].argmax() == 0

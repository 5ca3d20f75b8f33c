"""What a language model must beat before it pays: two classifiers that are trained in a second.

The majority class says the same of every text, with the frequencies of the training rows as its probabilities. TF-IDF
with logistic regression counts words and pairs of words. Both are scikit-learn's; both learn from the training split
alone, and the strength of the regularisation is chosen on the validation split, as the language model's length of
training is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuppence.data.records.labelled import LabelledText

MAJORITY, TFIDF = "majority class", "TF-IDF + logistic regression"
STRENGTHS = (1.0, 10.0, 100.0)
"""The values of `C` that are tried; larger ones fit the training rows more closely."""

_TOKEN = r"(?u)\w+|[^\w\s]"  # words, and every other mark by itself: "!!!" and "£" say much
_MOST_COEFFICIENTS = 20_000_000


def majority_class(train: Sequence[LabelledText], labels: Sequence[str], rows: int) -> NDArray[np.float64]:
    """Probabilities of the classes for `rows` texts, (N, C): the frequencies of the training rows, for each.

    Example:
        >>> train = [LabelledText("a", "ham"), LabelledText("b", "ham"), LabelledText("c", "spam")]
        >>> majority_class(train, ["ham", "spam"], rows=2).round(2).tolist()
        [[0.67, 0.33], [0.67, 0.33]]
    """
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), _ids(train, labels))
    return _all_classes(model, np.zeros((rows, 1)), len(labels))


def word_counts(
    train: Sequence[LabelledText], validation: Sequence[LabelledText], labels: Sequence[str], texts: Sequence[str]
) -> NDArray[np.float64]:
    """Probabilities of the classes for every text, (N, C), by TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    counter = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        token_pattern=_TOKEN,
        max_features=min(200_000, _MOST_COEFFICIENTS // len(labels)),
    )
    counted = counter.fit_transform([row.text for row in train])
    checked = counter.transform([row.text for row in validation])
    gold = _ids(validation, labels)
    best: tuple[float, Any] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000).fit(counted, _ids(train, labels))
        likely = _all_classes(model, checked, len(labels))[np.arange(len(gold)), gold]
        loss = float(-np.log(likely.clip(1e-12)).mean())
        if best is None or loss < best[0]:
            best = (loss, model)
    assert best is not None
    return _all_classes(best[1], counter.transform(list(texts)), len(labels))


def _ids(rows: Sequence[LabelledText], labels: Sequence[str]) -> NDArray[np.int64]:
    id_of = {label: number for number, label in enumerate(labels)}
    return np.array([id_of[row.label] for row in rows], dtype=np.int64)


def _all_classes(model: Any, features: Any, classes: int) -> NDArray[np.float64]:
    """Probabilities in the order of our ids; a class that the training rows lack has none."""
    found = np.zeros((features.shape[0], classes))
    found[:, model.classes_] = model.predict_proba(features)
    return found

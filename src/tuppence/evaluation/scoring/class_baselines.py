"""Two simple classifiers, trained in a second, that a language model should beat.

The majority class predicts the same for every text; its probabilities are the class frequencies of the training rows.
TF-IDF with logistic regression counts words and pairs of words. Both come from scikit-learn and learn from the training
split only. The strength of the regularisation is chosen on the validation split, like the number of training steps of
the language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuppence.data.records.labelled import LabelledText
from tuppence.evaluation.rows.labelled import class_ids

MAJORITY, TFIDF = "majority class", "TF-IDF + logistic regression"
STRENGTHS = (1.0, 10.0, 100.0)
"""The values of `C` that are tried. Larger values fit the training rows more closely."""

_TOKEN = r"(?u)\w+|[^\w\s]"  # words, and every other character by itself: "!!!" and "£" are informative
_MOST_COEFFICIENTS = 20_000_000


def majority_class(train: Sequence[LabelledText], labels: Sequence[str], rows: int) -> NDArray[np.float64]:
    """Returns the class frequencies of the training rows for each of `rows` texts, (N, C).

    Example:
        >>> train = [LabelledText("a", "ham"), LabelledText("b", "ham"), LabelledText("c", "spam")]
        >>> majority_class(train, ["ham", "spam"], rows=2).round(2).tolist()
        [[0.67, 0.33], [0.67, 0.33]]
    """
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), class_ids(train, labels))
    return _all_classes(model, np.zeros((rows, 1)), len(labels))


def word_counts(
    train: Sequence[LabelledText], validation: Sequence[LabelledText], labels: Sequence[str], texts: Sequence[str]
) -> NDArray[np.float64]:
    """Returns the probabilities of the classes for every text, (N, C), by TF-IDF and logistic regression."""
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
    gold = class_ids(validation, labels)
    best: tuple[float, Any] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000).fit(counted, class_ids(train, labels))
        likely = _all_classes(model, checked, len(labels))[np.arange(len(gold)), gold]
        loss = float(-np.log(likely.clip(1e-12)).mean())
        if best is None or loss < best[0]:
            best = (loss, model)
    assert best is not None
    return _all_classes(best[1], counter.transform(list(texts)), len(labels))


def _all_classes(model: Any, features: Any, classes: int) -> NDArray[np.float64]:
    """Returns probabilities in the order of our ids, (N, C); a class without training rows gets 0."""
    found = np.zeros((features.shape[0], classes))
    found[:, model.classes_] = model.predict_proba(features)
    return found

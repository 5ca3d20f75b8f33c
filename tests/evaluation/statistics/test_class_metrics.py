"""The metrics of a classifier, against scikit-learn, and their intervals against known distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.evaluation.statistics.bootstrap import interval
from tuppence.evaluation.statistics.class_metrics import (
    Predictions,
    bootstrap_measures,
    measures,
    reliability,
)

metrics = pytest.importorskip("sklearn.metrics")


def predictions(seed: int, rows: int, classes: int, missing: bool = False) -> Predictions:
    """Coarse probabilities, so that there are ties; better than chance."""
    random = np.random.default_rng(seed)
    gold = random.integers(0, classes - missing, rows)
    raw = random.dirichlet(np.ones(classes), rows).round(1) + 0.01
    raw[np.arange(rows), gold] += random.choice([0.0, 0.5], rows)
    return Predictions(gold, raw / raw.sum(axis=1, keepdims=True), 1 if classes == 2 else None)


def expected(one: Predictions, weights: np.ndarray) -> dict[str, object]:
    gold, predicted, classes = one.gold, one.predicted, one.probabilities.shape[1]
    share = {"sample_weight": weights}
    labels = list(range(classes))
    found: dict[str, object] = dict(
        zip(
            ("precision", "recall", "class_f1"),
            metrics.precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0, **share)[:3],
            strict=True,
        )
    )
    found["accuracy"] = metrics.accuracy_score(gold, predicted, **share)
    present = sorted(set(gold.tolist()))
    for name in ("recall", "class_f1"):  # of a class without rows scikit-learn says 0, and ours is undefined
        found[name][[label for label in labels if label not in present]] = np.nan  # type: ignore[index]
    found["macro_f1"] = metrics.f1_score(gold, predicted, average="macro", zero_division=0, **share)
    binary = classes == 2
    scores = one.probabilities[:, 1] if binary else one.probabilities
    found["f1"] = metrics.f1_score(gold, predicted, zero_division=0, **share) if binary else found["macro_f1"]
    found["brier"] = metrics.brier_score_loss(gold, scores, labels=labels, **share)
    if len(present) == classes:
        found["auc"] = (
            metrics.roc_auc_score(gold, scores, **share)
            if binary
            else np.mean(
                [metrics.roc_auc_score(gold == one_class, scores[:, one_class], **share) for one_class in labels]
            )
        )
    return found


@given(st.integers(0, 10_000), st.integers(30, 120), st.sampled_from([2, 3, 6]))
def test_all_measures_are_those_of_scikit_learn_for_any_weights(seed: int, rows: int, classes: int) -> None:
    one = predictions(seed, rows, classes)
    weights = np.random.default_rng(seed + 1).integers(0, 4, (2, rows)).astype(float)
    weights[:, [np.flatnonzero(one.gold == number)[0] for number in set(one.gold.tolist())]] += 1  # none vanishes
    ours = measures(one, weights)
    for draw in range(2):
        for name, value in expected(one, weights[draw]).items():
            np.testing.assert_allclose(ours[name][draw], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_class_without_rows_counts_where_it_was_predicted_and_has_no_curve() -> None:
    one = predictions(3, 60, 3, missing=True)
    assert 2 in one.predicted
    ours = measures(one)
    assert ours["macro_f1"][0] == pytest.approx(expected(one, np.ones(60))["macro_f1"])
    alone = measures(Predictions(np.zeros(5, dtype=np.int64), np.full((5, 2), 0.5), 1))
    assert np.isnan(alone["auc"][0])
    assert interval(np.full(10, np.nan)) is None


def test_calibration_is_the_mean_gap_between_confidence_and_accuracy() -> None:
    # two bins by hand: 4 rows at 0.95 of which 3 are right, 2 rows at 0.55 of which 2 are right
    confidence = np.array([0.95] * 4 + [0.55] * 2)
    gold = np.array([1, 1, 1, 0, 1, 1])
    one = Predictions(gold, np.stack([1 - confidence, confidence], axis=1), 1)
    by_hand = (4 * abs(0.75 - 0.95) + 2 * abs(1.0 - 0.55)) / 6
    assert measures(one)["ece"][0] == pytest.approx(by_hand)
    assert [bin["rows"] for bin in reliability(one)] == [2, 4]
    assert [bin["accuracy"] for bin in reliability(one)] == [1.0, 0.75]


def test_bins_are_those_of_scikit_learns_calibration_curve() -> None:
    one = predictions(5, 500, 2)
    calibration = pytest.importorskip("sklearn.calibration")
    confidence = one.probabilities.max(axis=1)
    right, sure = calibration.calibration_curve(one.right, confidence, n_bins=10)
    ours = reliability(one)
    assert [bin["accuracy"] for bin in ours] == pytest.approx(right.tolist())
    assert [bin["confidence"] for bin in ours] == pytest.approx(sure.tolist())


def test_the_interval_of_the_accuracy_is_the_binomial_one() -> None:
    gold = np.zeros(400, dtype=np.int64)
    sure = np.where(np.arange(400) < 320, 0.9, 0.1)
    values = bootstrap_measures([Predictions(gold, np.stack([sure, 1 - sure], axis=1), 1)])[0]["accuracy"]
    low, high = interval(values) or [0, 0]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert low == pytest.approx(0.8 - half, abs=0.006)
    assert high == pytest.approx(0.8 + half, abs=0.006)


def test_resamples_are_seeded_and_the_same_for_all_models() -> None:
    one, other = predictions(1, 80, 2), predictions(2, 80, 2)
    both = bootstrap_measures([one, other, one], seed=4)
    np.testing.assert_array_equal(both[0]["f1"], both[2]["f1"])
    np.testing.assert_array_equal(bootstrap_measures([other], seed=4)[0]["f1"], both[1]["f1"])
    assert (bootstrap_measures([other], seed=5)[0]["f1"] != both[1]["f1"]).any()


def test_a_resample_without_a_class_averages_over_the_others() -> None:
    predictions = Predictions(np.array([0, 0, 1, 2]), np.eye(3)[[0, 0, 1, 2]])
    weights_RN = np.array([[2.0, 2, 0, 0], [1, 1, 1, 1]])
    assert measures(predictions, weights_RN)["f1"].tolist() == [1.0, 1.0]
    values = bootstrap_measures([predictions])[0]["f1"]
    assert interval(values) == [1.0, 1.0]

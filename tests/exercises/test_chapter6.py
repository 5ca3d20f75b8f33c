"""Each usual wrong answer of chapter 6 is caught by the property it breaks."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import f1_score

from tests.exercises.grading import Function, assert_caught
from tuppence.exercises import answers


def last_column(h, lengths):
    return h[:, -1]


def one_too_far(h, lengths):
    return h[torch.arange(len(h)), lengths]


def one_too_far_but_inside(h, lengths):
    return h[torch.arange(len(h)), lengths.clamp(max=h.shape[1] - 1)]


def one_too_early(h, lengths):
    padded = (lengths < h.shape[1]) & (lengths > 1)
    return h[torch.arange(len(h)), lengths - 1 - padded.long()]


def first_length_for_all(h, lengths):
    return h[:, lengths[0] - 1]


def accuracy(pred, true):
    return sum(one == other for one, other in zip(pred, true, strict=True)) / len(pred)


def micro(pred, true):
    return float(f1_score(true, pred, average="micro"))


def weighted(pred, true):
    return float(f1_score(true, pred, average="weighted"))


def without_classes_that_are_never_found(pred, true):
    scores = f1_score(true, pred, average=None)
    return float(scores[scores > 0].mean())


def in_percent(pred, true):
    return 100 * answers.f1(pred, true)


def of_the_first_class(pred, true):
    hits = sum(one == other == 1 for one, other in zip(pred, true, strict=True))
    return 2 * hits / max(1, pred.count(1) + true.count(1))


def only_classes_in_true(pred, true):
    return float(f1_score(true, pred, average="macro", labels=sorted(set(true))))


def auc_with(tie):
    def auc(score, true):
        pairs = [
            (a, b) for a, x in zip(score, true, strict=True) if x for b, y in zip(score, true, strict=True) if not y
        ]
        return sum((a > b) + tie * (a == b) for a, b in pairs) / len(pairs)

    return auc


def accuracy_at_half(score, true):
    return sum((one > 0.5) == bool(label) for one, label in zip(score, true, strict=True)) / len(true)


def margins(score, true):
    pairs = [(a, b) for a, x in zip(score, true, strict=True) if x for b, y in zip(score, true, strict=True) if not y]
    return sum(0.5 if abs(a - b) < 0.02 else float(a > b) for a, b in pairs) / len(pairs)


def of_short_lists(score, true):
    return (
        answers.auc(score[:30], true[:30])
        if len(score) < 12
        else answers.auc([*score[:9], 0.0, 1.0], [*true[:9], 0, 1])
    )


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("last_token", one_too_far, "in a row without padding"),
        ("last_token", last_column, "padding changes nothing"),
        ("last_token", one_too_far_but_inside, "padding changes nothing"),
        ("last_token", first_length_for_all, "padding changes nothing"),
        ("last_token", one_too_early, "it is the last real token of each row"),
        ("f1", in_percent, "a perfect prediction has 1"),
        ("f1", of_the_first_class, "a rare class counts as much"),
        ("f1", accuracy, "a rare class counts as much"),
        ("f1", micro, "a rare class counts as much"),
        ("f1", weighted, "a rare class counts as much"),
        ("f1", without_classes_that_are_never_found, "a rare class counts as much"),
        ("f1", only_classes_in_true, "it is scikit-learn's"),
        ("auc", accuracy_at_half, "it is the share of pairs"),
        ("auc", auc_with(1), "a tie counts half"),
        ("auc", auc_with(0), "a tie counts half"),
        ("auc", margins, "only the order of the scores counts"),
        ("auc", of_short_lists, "it is scikit-learn's"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)

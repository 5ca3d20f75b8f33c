"""Exercises of chapter 6: the last real token, F1, and the area under the ROC curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor

from tuppence.exercises import answers
from tuppence.exercises.exercise import Calls, Draw, Exercise, Property, a_number, a_tensor, differs


def _full(draw: Draw) -> Iterator[tuple[Tensor, Tensor]]:
    for batch, length, width in ((1, 1, 1), (1, 2, 2), (3, draw.integer(2, 5), 2)):
        yield draw.normal(batch, length, width), torch.full((batch,), length)


def _padded(draw: Draw) -> Iterator[tuple[Tensor, Tensor]]:
    for batch, length, width in ((1, 3, 1), (2, 4, 2), (4, draw.integer(5, 8), 3)):
        lengths = torch.tensor([draw.integer(1, length - 1) for _ in range(batch)])
        yield draw.normal(batch, length, width), lengths


def _last_of_full(last: Calls, h: Tensor, lengths: Tensor) -> str | None:
    return differs(last(h, lengths), h[:, -1])


def _padding_is_nothing(last: Calls, h: Tensor, lengths: Tensor) -> str | None:
    before = last(h, lengths)
    differs(before, h[:, 0])  # the shape
    padded = torch.cat([h, torch.full_like(h[:, :2], 9.0)], dim=1)
    if differs(last(padded, lengths), before):
        return "with two more columns of padding, the result is another"
    changed = h.clone()
    for row, length in enumerate(lengths.tolist()):
        changed[row, length:] = -9.0
    return differs(last(changed, lengths), before) and "with other numbers in the padding, the result is another"


def _the_last_real(last: Calls, h: Tensor, lengths: Tensor) -> str | None:
    return differs(last(h, lengths), answers.last_token(h, lengths))


LAST_TOKEN = Exercise(
    chapter=6,
    name="last_token",
    parameters=("h", "lengths"),
    task="the state (B, D) of the last real token of each row: h is (B, T, D), padded at the end; lengths (B,) has the "
    "numbers of real tokens",
    difficulty=1,
    importance=3,
    minutes=10,
    fit=a_tensor,
    properties=(
        Property(
            "in a row without padding it is the last token",
            _full,
            _last_of_full,
            "Positions begin at 0, lengths at 1.",
            "The last of n tokens has the index n - 1.",
        ),
        Property(
            "padding changes nothing, neither its amount nor its content",
            _padded,
            _padding_is_nothing,
            "The last column is padding in all rows but the longest.",
            "Use lengths, and never -1.",
        ),
        Property(
            "it is the last real token of each row",
            _padded,
            _the_last_real,
            "Each row has a position of its own: index rows and positions together.",
        ),
    ),
    second_hint="Index with two tensors: the numbers of the rows, and a position for each.",
    answer=answers.last_token,
)

Labels = tuple[list[int], list[int]]


def _perfect(draw: Draw) -> Iterator[Labels]:
    for labels in ([0, 1], [0, 1, 1], draw.shuffled([0, 1, 2, *draw.integers(4, 0, 2)])):
        yield list(labels), list(labels)


def _majority(draw: Draw) -> Iterator[Labels]:
    """A rare class that is never, or seldom, predicted."""
    yield [0, 0, 0, 0], [0, 0, 0, 1]
    yield [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 1]
    yield [0] * 20, [0] * 19 + [1]


def _any_labels(draw: Draw) -> Iterator[Labels]:
    yield [0, 1, 1], [0, 0, 1]
    yield [0, 2, 1], [0, 1, 1]
    for classes in (2, 3, 4):
        size = draw.integer(6, 20)
        yield draw.integers(size, 0, classes - 1), draw.integers(size, 0, classes - 1)


def _is_one(f1: Calls, pred: list[int], true: list[int]) -> str | None:
    return differs(f1(pred, true), 1.0)


def _macro(f1: Calls, pred: list[int], true: list[int]) -> str | None:
    return differs(f1(pred, true), float(f1_score(true, pred, average="macro", zero_division=0.0)), 1e-6)


F1 = Exercise(
    chapter=6,
    name="f1",
    parameters=("pred", "true"),
    task="macro F1, a number: pred and true are lists of class numbers; F1 of a class is 2 TP / (2 TP + FP + FN), "
    "and macro F1 is the mean over all classes that appear in pred or true",
    difficulty=2,
    importance=2,
    minutes=15,
    fit=a_number,
    properties=(
        Property(
            "a perfect prediction has 1",
            _perfect,
            _is_one,
            "Then no class has a mistake.",
            "TP counts the rows of a class that are predicted as it; FP and FN are zero here.",
        ),
        Property(
            "a rare class counts as much as a frequent one, and a class that is never found counts 0",
            _majority,
            _macro,
            "Who always says the majority has a high accuracy. Compute F1 of each class, then their mean.",
            "No weights: add the F1 of each class, divide by the number of classes.",
        ),
        Property(
            "it is scikit-learn's",
            _any_labels,
            _macro,
            "Which classes are there? Some are only in pred, some only in true.",
        ),
    ),
    second_hint="Count TP, FP and FN of one class at a time, on paper, for the input above.",
    answer=answers.f1,
)

Scores = tuple[list[float], list[int]]


def _ordered(draw: Draw) -> Iterator[Scores]:
    yield [0.1, 0.9], [0, 1]
    yield [0.9, 0.1], [0, 1]
    yield [0.1, 0.2], [0, 1]
    yield [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]


def _tied(draw: Draw) -> Iterator[Scores]:
    yield [0.5, 0.5], [0, 1]
    yield [0.5, 0.5], [1, 0]
    yield [0.2, 0.5, 0.5, 0.8], [0, 0, 1, 1]


def _any_scores(draw: Draw) -> Iterator[Scores]:
    for size in (5, 12, 30):
        labels = draw.shuffled([0, 1, *draw.integers(size - 2, 0, 1)])
        yield [draw.integer(0, 8) / 8 for _ in range(size)], labels


def _area(auc: Calls, score: list[float], true: list[int]) -> str | None:
    return differs(auc(score, true), float(roc_auc_score(true, score)), 1e-6)


def _order_only(auc: Calls, score: list[float], true: list[int]) -> str | None:
    before = auc(score, true)
    return differs(auc([one**3 for one in score], true), before) and "with the cubes of the scores, the area is another"


AUC = Exercise(
    chapter=6,
    name="auc",
    parameters=("score", "true"),
    task="the area under the ROC curve, a number: score is a list of numbers, true is a list of 0 and 1. It is the "
    "share of pairs of a 1 and a 0 in which the 1 has the higher score; a tie counts half",
    difficulty=2,
    importance=2,
    minutes=15,
    fit=a_number,
    properties=(
        Property(
            "it is the share of pairs that are in order",
            _ordered,
            _area,
            "Compare every positive with every negative. No threshold is needed.",
            "Positives times negatives is the number of pairs.",
        ),
        Property(
            "a tie counts half",
            _tied,
            _area,
            "Neither a win nor a loss, whoever comes first in the list.",
            "Three cases: larger, equal, smaller.",
        ),
        Property(
            "only the order of the scores counts",
            _any_scores,
            _order_only,
            "How far two scores are apart does not matter.",
            "Compare with > and ==, and use no difference.",
        ),
        Property("it is scikit-learn's", _any_scores, _area, "Which pairs are counted, and how many are there?"),
    ),
    second_hint="Two loops, one over the positives and one over the negatives, are enough here.",
    answer=answers.auc,
)

EXERCISES: Sequence[Exercise] = (LAST_TOKEN, F1, AUC)

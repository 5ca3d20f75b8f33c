"""Training, validation and test: who is learned from, and who the result is measured on.

A row that stands in the test split is never learned from: what the training or the validation split has of it is
removed, and counted. White space and case make no difference there. The test split is left as it was drawn, so that
a test set of a stated size has that size.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.data.records.labelled import LabelledText, sorted_labels
from tuppence.data.records.leaks import normalise

Item = TypeVar("Item")

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Splits:
    """Labelled rows in three parts.

    Attributes:
        train, validation, test: no normalised text stands in two of them.
        labels: in the order of their ids.
        duplicates: rows removed from `train` and `validation`, because a later part has their text.
        contradictions: different texts that stand somewhere with two labels.
        dropped_by_balance: rows left out so that all labels are equally frequent.
    """

    train: list[LabelledText]
    validation: list[LabelledText]
    test: list[LabelledText]
    labels: tuple[str, ...]
    duplicates: int
    contradictions: int
    dropped_by_balance: int


def split_labelled(
    rows: Sequence[LabelledText],
    *,
    seed: int,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    balance: bool = False,
) -> Splits:
    """Splits rows by seed, each label in proportion; then removes duplicates across the splits.

    The first two parts have `int(fraction * rows)` rows, the test part the rest, before duplicates are removed. A label
    that would miss a part by chance is given one row in it.

    Args:
        rows: the whole set.
        seed: chooses who goes where; not negative.
        fractions: of training, validation and test; together 1.
        balance: first drop rows of the frequent labels, by chance, until all are as rare as the rarest.

    Raises:
        InputError: there is one label only; a label has too few rows to stand in every part; the fractions are no
            fractions, or the seed is negative.
    """
    _check_request(seed, fractions)
    labels = _check_labels(rows, "the data")
    generator = np.random.default_rng(seed)
    by_label: dict[str, list[LabelledText]] = {label: [] for label in labels}
    for row in rows:
        by_label[row.label].append(row)
    rarest = min(map(len, by_label.values()))
    for label, members in by_label.items():
        order = generator.permutation(len(members))[: rarest if balance else None]
        by_label[label] = [members[place] for place in order]
    dropped = len(rows) - sum(map(len, by_label.values()))
    train, validation, test = _stratify(by_label, fractions)
    return _without_leaks(train, validation, test, labels, dropped_by_balance=dropped)


def fixed_splits(
    train: Sequence[LabelledText], validation: Sequence[LabelledText], test: Sequence[LabelledText]
) -> Splits:
    """Three parts that a person gave; duplicates across them are removed from the earlier ones.

    Raises:
        InputError: the training rows have one label only; another part has a label that they lack, or has no row.
    """
    labels = _check_labels(train, "the training data")
    for name, part in (("validation", validation), ("test", test)):
        unknown = sorted({row.label for row in part} - set(labels))
        if unknown:
            raise InputError(
                f"the {name} data has the label '{unknown[0]}', which the training data lacks",
                f"known labels: {', '.join(labels[:12])}",
            )
        if not part:
            raise InputError(f"the {name} data has no row", "name a file with rows, or let the training data be split")
    return _without_leaks(train, validation, test, labels, dropped_by_balance=0)


def hold_out(
    rows: Sequence[Item], fraction: float, *, seed: int, key: Callable[[Item], str]
) -> tuple[list[Item], list[Item]]:
    """Parts rows into (kept, held out); rows with equal keys (normalised) fall on one side.

    Who is held out depends on the hash of the keys and the seed, not on the order of the rows. Neither side is empty
    where there are two different keys.

    Args:
        rows: conversations, preferences or anything else.
        fraction: of the rows to hold out, about; 0 < fraction < 1.
        seed: chooses who.
        key: of a row; how it opens (`leaks.opening_of`), so that no prompt is both learned and asked.

    Raises:
        InputError: all rows have the same key.
    """
    sizes = Counter(normalise(key(row)) for row in rows)
    if len(sizes) < 2:
        raise InputError(
            f"{counted(len(rows), 'row')} with one and the same prompt cannot be split in two", "give a validation file"
        )

    def digest(name: str) -> bytes:
        return hashlib.blake2b(name.encode(), digest_size=16, key=seed.to_bytes(8, "little")).digest()

    wanted = max(1, round(fraction * len(rows)))
    held: set[str] = set()
    taken = 0
    for name in sorted(sizes, key=digest)[:-1]:
        if taken >= wanted:
            break
        held.add(name)
        taken += sizes[name]
    kept = [row for row in rows if normalise(key(row)) not in held]
    return kept, [row for row in rows if normalise(key(row)) in held]


# ---- how -------------------------------------------------------------------------------------------------------


def _check_request(seed: int, fractions: Sequence[float]) -> None:
    if seed < 0:
        raise InputError(f"seed {seed} is negative", "choose 0 or more")
    if any(not 0 < fraction < 1 for fraction in fractions) or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise InputError(
            f"the fractions {', '.join(map(str, fractions))} are not three parts of 1", "for example 0.7, 0.1, 0.2"
        )


def _check_labels(rows: Sequence[LabelledText], what: str) -> tuple[str, ...]:
    labels = sorted_labels({row.label for row in rows})
    if len(labels) < 2:
        only = f"only the label '{labels[0]}'" if labels else "no row"
        raise InputError(f"{what} has {only}", "a classifier needs rows of two labels at least")
    return labels


def _stratify(by_label: dict[str, list[LabelledText]], fractions: Sequence[float]) -> tuple[list[LabelledText], ...]:
    """Spreads the rows of every label evenly over one line, and cuts the line twice."""
    for label, members in by_label.items():
        if len(members) < len(PARTS):
            raise InputError(
                f"the label '{label}' has {counted(len(members), 'row')}, too few to stand in training, validation"
                " and test",
                "add rows of it, or leave the label out",
            )
    places = [
        ((place + 0.5) / len(members), label, place)
        for label, members in by_label.items()
        for place in range(len(members))
    ]
    line = [by_label[label][place] for _, label, place in sorted(places)]
    first = int(len(line) * fractions[0])
    second = first + int(len(line) * fractions[1])
    parts = (line[:first], line[first:second], line[second:])
    counts = [Counter(row.label for row in part) for part in parts]
    for label in by_label:
        for part, count in zip(parts, counts, strict=True):
            if not count[label]:
                richest = int(np.argmax([other[label] for other in counts]))
                moved = next(row for row in reversed(parts[richest]) if row.label == label)
                parts[richest].remove(moved)
                counts[richest][label] -= 1
                part.append(moved)
                count[label] += 1
    return parts


def _without_leaks(
    train: Sequence[LabelledText],
    validation: Sequence[LabelledText],
    test: Sequence[LabelledText],
    labels: tuple[str, ...],
    dropped_by_balance: int,
) -> Splits:
    tested = {normalise(row.text) for row in test}
    clean_validation = [row for row in validation if normalise(row.text) not in tested]
    measured = tested | {normalise(row.text) for row in clean_validation}
    clean_train = [row for row in train if normalise(row.text) not in measured]
    if not clean_validation:
        raise InputError(
            "every validation row stands in the test data too",
            "give validation rows, or more rows, that are not copies of each other",
        )
    missing = [label for label in labels if label not in {row.label for row in clean_train}]
    if missing:
        raise InputError(
            f"every training row of the label '{missing[0]}' stands in the validation or the test data too",
            "add rows that are not copies of each other",
        )
    labels_of: dict[str, set[str]] = defaultdict(set)
    for row in (*train, *validation, *test):
        labels_of[normalise(row.text)].add(row.label)
    return Splits(
        clean_train,
        clean_validation,
        list(test),
        labels,
        duplicates=len(train) + len(validation) - len(clean_train) - len(clean_validation),
        contradictions=sum(len(found) > 1 for found in labels_of.values()),
        dropped_by_balance=dropped_by_balance,
    )

"""Splits rows into training, validation and test.

No text of the test split is trained on: its copies in the training and validation splits are removed and counted.
The comparison ignores white space and case. Nothing is removed from the test split, so that it keeps its requested
size.
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
        train, validation, test: the parts; no normalised text is in two of them.
        labels: in the order of their ids.
        duplicates: rows removed from `train` and `validation`, because a later part has the same text.
        contradictions: number of distinct texts that have two or more labels.
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
    """Splits rows at random, stratified by label; then removes duplicates across the splits.

    The first two parts have `int(fraction * rows)` rows, the test part the rest, before duplicates are removed. A label
    that is absent from a part by chance gets one row in it.

    Args:
        rows: the whole set.
        seed: of the random split; not negative.
        fractions: of training, validation and test; together 1.
        balance: first drop random rows of the more frequent labels, until all labels have as many rows as the rarest.

    Raises:
        InputError: there is only one label; a label has too few rows for every part; the fractions are not between
            0 and 1 or do not sum to 1; the seed is negative.
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
    """The parts of the user's three files; duplicates across them are removed from the earlier part.

    Raises:
        InputError: the training rows have only one label; another part has a label that they lack, or has no row.
    """
    labels = _check_labels(train, "the training data")
    for name, part in (("validation", validation), ("test", test)):
        unknown = sorted({row.label for row in part} - set(labels))
        if unknown:
            near = next((label for label in labels if label.casefold() == unknown[0].casefold()), None)
            raise InputError(
                f"the {name} data has the label '{unknown[0]}', which the training data lacks",
                f"known labels: {', '.join(labels[:12])}"
                if near is None
                else f"write '{near}', as in the training data",
            )
        if not part:
            raise InputError(
                f"the {name} data has no row", "name a file with rows, or omit it to split the training data"
            )
    return _without_leaks(train, validation, test, labels, dropped_by_balance=0)


def hold_out(
    rows: Sequence[Item],
    fraction: float,
    *,
    seed: int,
    key: Callable[[Item], str],
    finer_key: Callable[[Item], str] | None = None,
) -> tuple[list[Item], list[Item]]:
    """Splits rows into (kept, held out). Rows with equal normalised keys form a group, on one side if possible.

    Groups are visited in the order of a hash of key and seed, independent of the order of the rows. A group is held out
    if it fits into the remaining number of wanted rows. A group larger than the wanted number is kept, because it would
    take too much from the training set; of the rows outside such groups at least one half is kept, too. If this holds
    out less than half of the wanted rows, `finer_key` splits the large groups. Neither side is empty if there are two
    different keys.

    Args:
        rows: conversations, preferences or anything else.
        fraction: approximate share of the rows to hold out; 0 < fraction < 1.
        seed: of the hash that orders the groups.
        key: returns the key of a row, for example its opening (`leaks.opening_of`), so that no prompt is on both sides.
        finer_key: returns a more specific key of a row, for example its whole prompt (`leaks.prompt_of`).

    Raises:
        InputError: all rows have the same key.
    """
    groups = _Groups([normalise(key(row)) for row in rows], seed)
    wanted = min(max(1, round(fraction * len(rows))), len(rows) - 1)
    held = groups.choose(wanted)
    if finer_key is not None and len(held) < max(1, wanted / 2):
        finer = [normalise(finer_key(row)) for row in rows]
        parted = [
            name if groups.sizes[name] <= wanted else f"{name}\0{finer[n]}" for n, name in enumerate(groups.names)
        ]
        groups = _Groups(parted, seed)
        held = groups.choose(wanted)
    if not held and len(groups.sizes) > 1:
        held = groups.smallest()
    if not held:
        raise InputError(
            f"{counted(len(rows), 'row')} with the same prompt cannot be split in two",
            "name the held-out rows with --val FILE",
        )
    kept = [row for number, row in enumerate(rows) if number not in held]
    return kept, [row for number, row in enumerate(rows) if number in held]


class _Groups:
    """Rows grouped by their keys, in the order of a hash.

    Args:
        names: the key of each row.
        seed: of the hash.
    """

    def __init__(self, names: Sequence[str], seed: int) -> None:
        self.names, self.sizes = names, Counter(names)
        self._seed = seed

    def choose(self, wanted: int) -> set[int]:
        """Indices of at most `wanted` rows, in whole groups. If some groups are larger than `wanted`, at most one half
        of the rows in the other groups is chosen."""
        small = sum(size for size in self.sizes.values() if size <= wanted)
        room = wanted if small == len(self.names) else min(wanted, small // 2)
        chosen: set[str] = set()
        for name in sorted(self.sizes, key=self._digest):
            if self.sizes[name] <= room:
                chosen.add(name)
                room -= self.sizes[name]
            if not room:
                break
        return self._numbers(chosen)

    def smallest(self) -> set[int]:
        """The rows of the smallest group."""
        return self._numbers({min(self.sizes, key=lambda name: (self.sizes[name], self._digest(name)))})

    def _numbers(self, chosen: set[str]) -> set[int]:
        return {number for number, name in enumerate(self.names) if name in chosen}

    def _digest(self, name: str) -> bytes:
        key = self._seed.to_bytes(8, "little")
        return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=key).digest()


# ---- details ---------------------------------------------------------------------------------------------------


def _check_request(seed: int, fractions: Sequence[float]) -> None:
    if seed < 0:
        raise InputError(f"seed {seed} is negative", "choose a seed of at least 0")
    if any(not 0 < fraction < 1 for fraction in fractions) or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise InputError(
            f"the fractions {', '.join(map(str, fractions))} are not positive numbers with the sum 1",
            "for example 0.7, 0.1, 0.2",
        )


def _check_labels(rows: Sequence[LabelledText], what: str) -> tuple[str, ...]:
    labels = sorted_labels({row.label for row in rows})
    if len(labels) < 2:
        only = f"only the label '{labels[0]}'" if labels else "no row"
        raise InputError(f"{what} has {only}", "a classifier needs rows of at least two labels")
    return labels


def _stratify(by_label: dict[str, list[LabelledText]], fractions: Sequence[float]) -> tuple[list[LabelledText], ...]:
    """Spreads the rows of every label evenly over one list, and cuts the list into three parts."""
    for label, members in by_label.items():
        if len(members) < len(PARTS):
            raise InputError(
                f"the label '{label}' has {counted(len(members), 'row')}, too few for training, validation and test",
                "add rows with this label, or remove it from the data",
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
            "every validation row is also in the test data",
            "give other validation rows, or more rows that are not copies of each other",
        )
    missing = [label for label in labels if label not in {row.label for row in clean_train}]
    if missing:
        raise InputError(
            f"every training row of the label '{missing[0]}' is also in the validation or the test data",
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

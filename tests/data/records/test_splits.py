"""Splits share no text, keep the proportions of the labels, and depend on the seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.data.records.labelled import LabelledText, read_labelled
from tuppence.data.records.leaks import normalise
from tuppence.data.records.splits import Splits, fixed_splits, hold_out, split_labelled


def labelled(**counts: int) -> list[LabelledText]:
    return [LabelledText(f"{label} {row}", label) for label, count in counts.items() for row in range(count)]


def parts(splits: Splits) -> tuple[list[LabelledText], ...]:
    return splits.train, splits.validation, splits.test


def test_the_balanced_sms_split_has_the_sizes_of_the_book(shared_data: Path) -> None:
    rows = read_labelled(str(shared_data / "spam" / "SMSSpamCollection")).rows
    splits = split_labelled(rows, seed=123, balance=True)
    assert splits.dropped_by_balance == 4827 - 747
    assert Counter(row.label for row in splits.test) == {"ham": 150, "spam": 150}
    # of 1,045 + 149 + 300 rows; the collection has many messages twice
    assert len(splits.train) + len(splits.validation) + splits.duplicates == 1045 + 149
    assert 20 < splits.duplicates < 120
    texts = [{normalise(row.text) for row in part} for part in parts(splits)]
    assert sum(map(len, texts)) == len(set.union(*texts))


@given(counts=st.lists(st.integers(3, 60), min_size=2, max_size=6), seed=st.integers(0, 2**32), balance=st.booleans())
def test_every_row_is_in_one_part_and_labels_are_in_proportion(counts: list[int], seed: int, balance: bool) -> None:
    rows = labelled(**{f"label{number}": count for number, count in enumerate(counts)})
    splits = split_labelled(rows, seed=seed, balance=balance)
    everything = [row for part in parts(splits) for row in part]
    assert len(set(everything)) == len(everything) == len(rows) - splits.dropped_by_balance
    assert splits.duplicates == splits.contradictions == 0
    assert splits.dropped_by_balance == (sum(counts) - min(counts) * len(counts) if balance else 0)
    for part, fraction in zip(parts(splits), (0.7, 0.1, 0.2), strict=True):
        in_part = Counter(row.label for row in part)
        for number, count in enumerate(counts):
            kept = min(counts) if balance else count
            assert in_part[f"label{number}"] >= 1
            assert abs(in_part[f"label{number}"] - fraction * kept) < 2.5
        if min(counts) >= 20:
            assert abs(len(part) - fraction * len(everything)) <= 2


def test_the_split_depends_on_the_seed() -> None:
    rows = labelled(a=50, b=70)
    assert split_labelled(rows, seed=1) == split_labelled(rows, seed=1)
    assert split_labelled(rows, seed=1).test != split_labelled(rows, seed=2).test
    assert split_labelled(rows, seed=1, balance=True).train != split_labelled(rows, seed=2, balance=True).train


def test_duplicates_across_the_splits_are_removed_from_the_earlier_one_and_counted() -> None:
    train = [
        LabelledText(text, label) for text, label in (("A  b", "x"), ("c", "x"), ("d", "y"), ("d", "y"), ("f", "x"))
    ]
    validation = [LabelledText("c", "x"), LabelledText("e", "y"), LabelledText("g", "y")]
    test = [LabelledText("a b", "y"), LabelledText("E ", "y")]
    splits = fixed_splits(train, validation, test)
    assert [row.text for row in splits.train] == ["d", "d", "f"]  # copies inside one part are kept
    assert [row.text for row in splits.validation] == ["c", "g"]
    assert splits.test == test
    assert splits.duplicates == 3  # "A  b" and "c" in training, "e" in validation
    assert splits.contradictions == 1  # "a b" is x and y


def test_a_label_with_only_copies_is_refused() -> None:
    train = [LabelledText("a b", "x"), LabelledText("d", "y")]
    with pytest.raises(InputError, match="every training row of the label 'x' is also in the validation or the test"):
        fixed_splits(train, [LabelledText("z", "y")], [LabelledText("A B", "x")])
    with pytest.raises(InputError, match="every validation row is also in the test data"):
        fixed_splits(train, [LabelledText("z", "y")], [LabelledText("Z", "y")])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (labelled(a=10), "the data has only the label 'a'"),
        ([], "the data has no row"),
        (labelled(a=10, b=2), "the label 'b' has 2 rows, too few for"),
        (labelled(a=10, b=1), "the label 'b' has 1 row, too few for"),
    ],
)
def test_data_that_cannot_be_split_is_refused(rows: list[LabelledText], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_labelled(rows, seed=0)


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(InputError, match="seed -1 is negative"):
        split_labelled(labelled(a=9, b=9), seed=-1)
    for fractions in ((0.7, 0.1, 0.1), (1.2, -0.1, -0.1), (0.8, 0.0, 0.2)):
        with pytest.raises(InputError, match="are not positive numbers with the sum 1"):
            split_labelled(labelled(a=9, b=9), seed=0, fractions=fractions)


def test_given_parts_need_known_labels_and_rows() -> None:
    train = labelled(a=5, b=5)
    with pytest.raises(InputError, match="the test data has the label 'c', which the training data lacks"):
        fixed_splits(train, [LabelledText("z", "a")], [LabelledText("y", "c")])
    with pytest.raises(InputError, match="the validation data has no row"):
        fixed_splits(train, [], [LabelledText("y", "a")])
    with pytest.raises(InputError, match="the training data has only the label 'a'"):
        fixed_splits(labelled(a=5), [LabelledText("z", "a")], [LabelledText("y", "a")])


@given(
    keys=st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40).filter(lambda keys: len(set(keys)) > 1),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**60),
)
def test_equal_prompts_are_held_out_together(keys: list[str], fraction: float, seed: int) -> None:
    rows = list(enumerate(keys))
    kept, held = hold_out(rows, fraction, seed=seed, key=lambda row: row[1])
    assert kept
    assert held
    assert sorted(kept + held) == rows
    assert not {key for _, key in kept} & {key for _, key in held}
    again = hold_out(rows[::-1], fraction, seed=seed, key=lambda row: f" {row[1].upper()}")
    assert sorted(again[1]) == held


def test_about_the_fraction_is_held_out_and_the_seed_chooses_the_rows() -> None:
    rows = list(range(1000))
    _, held = hold_out(rows, 0.1, seed=0, key=str)
    assert len(held) == 100
    assert len(set(held) & set(hold_out(rows, 0.1, seed=1, key=str)[1])) < 30
    assert abs(sum(held) / 100 - 500) < 120  # from everywhere in the file


def test_rows_with_one_prompt_cannot_be_split() -> None:
    with pytest.raises(InputError, match="2 rows with the same prompt cannot be split"):
        hold_out(["a", "A "], 0.5, seed=0, key=str)


def chats(opening: str, count: int) -> list[tuple[str, str]]:
    """Returns (opening, last question) of each row."""
    return [(opening, f"{opening} {number}") for number in range(count)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("rows", "least"),
    [
        (chats("Hi", 300) + [(f"{n}?", f"{n}?") for n in range(30)], 20),
        ([("one prompt", "one prompt")] * 180 + [(f"{n}?", f"{n}?") for n in range(20)], 10),
        (chats("Hi", 40), 4),
        (chats("Hi", 50) + chats("Hello", 50), 10),
    ],
)
def test_a_group_of_most_rows_stays_in_the_training_set(rows: list[tuple[str, str]], least: int, seed: int) -> None:
    kept, held = hold_out(rows, 0.1, seed=seed, key=lambda row: row[0], finer_key=lambda row: row[1])
    assert least <= len(held) <= max(least, len(rows) // 10 + 1)
    assert not {asked for _, asked in kept} & {asked for _, asked in held}
    assert {row for row in rows if rows.count(row) < 3} & set(kept)  # rare prompts are in the training set, too


def test_rows_with_the_same_opening_are_on_one_side_if_possible() -> None:
    rows = [row for number in range(50) for row in chats(f"opening {number}", 4)]
    kept, held = hold_out(rows, 0.1, seed=3, key=lambda row: row[0], finer_key=lambda row: row[1])
    assert len(held) == 20
    assert not {opening for opening, _ in kept} & {opening for opening, _ in held}

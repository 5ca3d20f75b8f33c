"""The split of a finetune's rows into training and held-out rows: no row is in both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.leaks import prompt_of
from tuppence.data.records.preferences import Preference
from tuppence.tasks.rows import RowFiles
from tuppence.tokenizer.chat_template import Message


def rows_of(prompts: Sequence[str]) -> list[Preference]:
    return [Preference((Message("user", prompt),), "yes", "no") for prompt in prompts]


def split(
    files: dict[str, list[Preference]], fraction: float = 0.2, seed: int = 1
) -> tuple[list[Preference], list[Preference]]:
    """The split of files with these rows, by their names: data and, perhaps, val."""
    row_files = RowFiles(Path("data"), Path("val") if "val" in files else None)
    return row_files.split(
        lambda path: files[path.name], fraction=fraction, seed=seed, key=prompt_of, noun="preference"
    )


def test_every_row_is_in_one_part_and_about_the_wanted_share_is_held_out() -> None:
    rows = rows_of([f"Say {number}." for number in range(400)])
    train, held_out = split({"data": rows})
    assert sorted(prompt_of(row) for row in (*train, *held_out)) == sorted(map(prompt_of, rows))
    assert len(held_out) == pytest.approx(80, abs=40)  # 5 standard deviations of a hash


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_the_rows() -> None:
    rows = rows_of([f"Say {number}." for number in range(100)])
    held_out = set(map(prompt_of, split({"data": rows})[1]))
    assert set(map(prompt_of, split({"data": rows[::-1]})[1])) == held_out
    assert set(map(prompt_of, split({"data": rows}, seed=2)[1])) != held_out


def test_rows_that_begin_alike_are_on_one_side() -> None:
    rows = rows_of([f"Say {number}." for number in range(50)] * 3)
    train, held_out = split({"data": rows})
    assert not set(map(prompt_of, train)) & set(map(prompt_of, held_out))


def test_rows_of_the_validation_file_are_left_out_of_training_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, val = rows_of([f"Say {number}." for number in range(10)]), rows_of(["Say 3.", " say 4. ", "Say 99."])
    train, held_out = split({"data": data, "val": val})
    assert held_out == val
    assert train == [row for row in data if prompt_of(row).strip() not in ("Say 3.", "Say 4.")]
    assert "2 preferences of val also in data: left out of training" in " ".join(capsys.readouterr().err.split())


def test_a_validation_file_with_every_training_row_is_refused() -> None:
    rows = rows_of(["Say 1.", "Say 2."])
    with pytest.raises(InputError, match="every preference of data is in val"):
        split({"data": rows, "val": rows})

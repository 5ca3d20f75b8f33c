"""How labelled rows are split, and what is printed of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.labelled import LabelledText
from tuppence.data.records.splits import Splits
from tuppence.tasks.labelled import LabelledFiles, describe_splits


def write(path: Path, spam: int, ham: int, prefix: str = "") -> Path:
    lines = [f"spam\t{prefix}won {n}" for n in range(spam)] + [f"ham\t{prefix}see {n}" for n in range(ham)]
    path.write_text("\n".join(lines))
    return path


def split(given: LabelledFiles, seed: int = 1, balance: bool = False) -> Splits:
    return given.split(given.read(given.data).rows, seed=seed, fractions=(0.7, 0.1, 0.2), balance=balance)


def test_the_rows_are_split_seventy_ten_twenty_by_the_seed(tmp_path: Path) -> None:
    given = LabelledFiles(write(tmp_path / "all.tsv", 20, 80))
    splits = split(given)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [70, 10, 20]
    assert split(given) == splits
    assert split(given, seed=2).test != splits.test


def test_balanced_labels_are_equally_frequent(tmp_path: Path) -> None:
    given = LabelledFiles(write(tmp_path / "all.tsv", 20, 80))
    splits = split(given, balance=True)
    assert splits.dropped_by_balance == 60
    assert [row.label for row in splits.test].count("spam") == len(splits.test) / 2


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("given", [("val",), ("test",), ("val", "test")])
def test_given_files_are_their_parts_and_the_rest_is_split(
    tmp_path: Path, given: tuple[str, ...], balance: bool
) -> None:
    paths = {name: write(tmp_path / f"{name}.tsv", 3, 3, prefix=name) for name in given}
    files = LabelledFiles(write(tmp_path / "all.tsv", 20, 80), **paths)
    splits = split(files, balance=balance)
    parts = {"val": splits.validation, "test": splits.test}
    for name, part in parts.items():
        assert all(row.text.startswith(name) for row in part) == (name in given)
    total = len(splits.train) + sum(len(part) for name, part in parts.items() if name not in given)
    assert total == (40 if balance else 100)


def test_a_label_only_the_validation_rows_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "val.tsv").write_text("eggs\tbreakfast is ready\nham\tsee you\nham\tit rained\n")
    files = LabelledFiles(write(tmp_path / "all.tsv", 20, 80), val=tmp_path / "val.tsv")
    with pytest.raises(InputError, match="the validation data has the label 'eggs'"):
        split(files)


def test_found_and_unused_columns_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tickets.csv"
    path.write_text("subject,body,category\nhelp,it is broken,a\nhi,it works,A\n")
    found = LabelledFiles(path).read(path)
    said = capsys.readouterr().err
    assert "the text is column 'body', the label column 'category'" in said
    assert "not used" in said
    assert "subject (2 rows)" in said
    assert found.labels == ("A", "a")
    LabelledFiles(path, text_column="body", label_column="category").read(path)
    assert "the text is column" not in capsys.readouterr().err


def test_labels_that_differ_only_in_case_cause_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    row = LabelledText("x", "ham")
    describe_splits(Splits([row], [row], [row], ("Ham", "ham", "spam"), 0, 0, 0))
    assert "Ham and ham are 2 labels" in capsys.readouterr().err


def test_rows_of_weight_0_are_left_out_of_the_data_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{text},{label},{n % 2}\n" for n, (text, label) in enumerate([("won", "spam"), ("see", "ham")] * 3))
    for name in ("data.csv", "val.csv"):
        (tmp_path / name).write_text(f"text,label,weight\n{rows}")
    given = LabelledFiles(tmp_path / "data.csv", val=tmp_path / "val.csv")
    assert [len(given.read(path).rows) for path in given.paths] == [3, 6]
    said = capsys.readouterr().err
    assert f"left out 3 rows of {tmp_path / 'data.csv'} with weight 0, or train, training or loss false" in said
    assert "not used of" in said  # of val.csv, where the column is not read

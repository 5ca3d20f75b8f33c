"""The splits of a run, and files of labelled texts that the user names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.data.records.labelled import LabelledText
from tuppence.data.records.splits import PARTS, Splits
from tuppence.evaluation.rows.labelled import first_test_text, read_split, write_splits


@pytest.fixture
def run(tmp_path: Path) -> Run:
    parts = [[LabelledText(f"{part}\tof é", label)] for part, label in zip(PARTS, ("1", "true", "1"), strict=True)]
    run = Run(tmp_path)
    run.run_file.write_text("status: done\n")
    write_splits(Splits(parts[0], parts[1], parts[2], ("1", "true"), 0, 0, 0), run)
    return run


def test_splits_are_read_as_they_were_written(run: Run) -> None:
    assert read_split(run.path, "training") == [LabelledText("training\tof é", "1")]
    assert read_split(run.model, "validation") == [LabelledText("validation\tof é", "true")]
    assert first_test_text(run.path) == "test\tof é"


def test_a_folder_without_splits_has_none(tmp_path: Path) -> None:
    assert read_split(tmp_path, "test") is None
    assert first_test_text(tmp_path) == ""


def test_labels_get_the_spelling_of_the_model(run: Run) -> None:
    rows = read_split(run.path, "validation", ["1.0", "True"])
    assert rows is not None
    assert rows[0].label == "True"
    with pytest.raises(InputError, match="the label 'true', which the model does not know"):
        read_split(run.path, "validation", ["yes", "no"])

"""The labelled texts that `tasks.classification` scores: the splits of a run, or a file that the user named.

`finetune classify` writes its splits into RUN/splits, so that every evaluation of the run reads the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuppence.core import files
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.data.bad_rows import warn_of_skipped
from tuppence.data.records.labelled import LabelledSet, LabelledText, find_label, read_labelled
from tuppence.data.records.splits import PARTS, Splits
from tuppence.data.records.tables import read_table
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.rows.files import sha256_of
from tuppence.model.loaded import ModelInfo
from tuppence.storage import find_input, location_of

TRAINING, VALIDATION, TEST = PARTS


@dataclass(frozen=True)
class LabelledFile:
    """The rows of a test file.

    Attributes:
        path, sha256: of the file.
        rows: their labels are in the model's spelling.
        columns: the columns of text and label, if the user named the file; empty for a split of the run.
    """

    path: str
    sha256: str
    rows: Sequence[LabelledText]
    columns: tuple[str, ...] = ()


def write_splits(splits: Splits, run: Run) -> None:
    """Writes training.jsonl, validation.jsonl and test.jsonl into RUN/splits."""
    for name, rows in zip(PARTS, (splits.train, splits.validation, splits.test), strict=True):
        lines = [json.dumps({"text": row.text, "label": row.label}, ensure_ascii=False) + "\n" for row in rows]
        files.write_text(run.split_file(name), "".join(lines))


def read_split(folder: Path, name: str, labels: Sequence[str] | None = None) -> list[LabelledText] | None:
    """Returns the rows of a split of a run; None if the run has no such split.

    Args:
        folder: the run, or its `model` folder.
        name: "training", "validation" or "test".
        labels: the labels of the rows are converted to this spelling, if given.
    """
    path = Run.of(folder).split_file(name)
    if not path.is_file():
        return None
    rows = read_labelled(str(path), text_column="text", label_column="label").rows
    return rows if labels is None else _in_spelling_of(labels, rows, str(path))


def first_test_text(run: Path) -> str:
    """Returns the first text of a run's test split; "" if there is none."""
    rows = read_split(run, TEST)
    return rows[0].text if rows else ""


def rows_to_classify(info: ModelInfo, config: EvalConfig) -> LabelledFile:
    """Returns the rows of the file that `config` names for `classification`, or else the run's test split.

    Raises:
        InputError: no file was named and there is no test split; or the model does not know a label.
    """
    named = config.data_of("classification")
    if named is not None:
        found = _read(info, config, named)
        warn_of_skipped(named, found.skipped_rows)
        rows = _in_spelling_of(info.labels, found.rows[: config.limit], named)
        return LabelledFile(location_of(named), sha256_of(named), rows, (found.text_column, found.label_column))
    split = read_split(info.folder, TEST, info.labels)
    if split is None:
        raise InputError(f"{info.folder} has no test split", "add --data FILE: labelled texts")
    path = str(Run.of(info.folder).split_file(TEST))
    return LabelledFile(location_of(path), sha256_of(path), split[: config.limit])


def class_ids(rows: Sequence[LabelledText], labels: Sequence[str]) -> NDArray[np.int64]:
    """Returns the class of every row as an id, (N,).

    Example:
        >>> class_ids([LabelledText("a", "spam"), LabelledText("b", "ham")], ["ham", "spam"]).tolist()
        [1, 0]
    """
    id_of = {label: number for number, label in enumerate(labels)}
    return np.array([id_of[row.label] for row in rows], dtype=np.int64)


def _read(info: ModelInfo, config: EvalConfig, path: str) -> LabelledSet:
    """Reads a file of labelled texts.

    If the user named no column, the columns that the classifier was trained on are read, or else `read_labelled` finds
    the columns.
    """
    text, label = config.text_column, config.label_column
    if text is None and label is None:
        trained = _trained_columns(info.folder)
        if set(trained) <= set(read_table(path, skip_bad_rows=config.skip_bad_rows).columns):
            text, label = trained
    return read_labelled(path, text_column=text, label_column=label, skip_bad_rows=config.skip_bad_rows)


def _trained_columns(folder: Path) -> tuple[str, str]:
    """Returns the columns of text and label that a run was trained on; the columns of its splits if unknown."""
    for _, content in islice(Run.of(folder).lineage(find_input), 1):
        columns = content.get("columns")
        if isinstance(columns, dict):
            text, label = columns.get("text"), columns.get("label")
            if isinstance(text, str) and isinstance(label, str) and not (text.isdecimal() or label.isdecimal()):
                return text, label
    return "text", "label"


def _in_spelling_of(labels: Sequence[str], rows: Sequence[LabelledText], path: str) -> list[LabelledText]:
    """Returns the rows with the model's own spelling of their labels, see `find_label`."""
    index_of = {label: find_label(label, labels) for label in {row.label for row in rows}}
    found: list[LabelledText] = []
    for row in rows:
        index = index_of[row.label]
        if index is None:
            raise InputError(
                f"{path} has the label '{row.label}', which the model does not know",
                f"its labels: {', '.join(labels[:12])}",
            )
        found.append(LabelledText(row.text, labels[index]))
    return found

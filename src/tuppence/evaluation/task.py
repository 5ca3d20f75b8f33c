"""The interface of an evaluation task, and helpers that the tasks share.

A task is a function that takes a loaded model, an `EvalConfig` and the folder of its row log, and returns a
`TaskResult`. `tasks.TASKS` lists all tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.rows.log import RowLog
from tuppence.model.loaded import Kind, LoadedModel

Metrics: TypeAlias = dict[str, Any]
"""Metric → value: plain values ready for JSON."""


@dataclass(frozen=True)
class Scores:
    """A metric for each row of a file or window of a text, so that two runs can be compared on the same units.

    The metric of the whole is Σ values / Σ weights.

    Attributes:
        values: (N,) for a row its 0 or 1; for a window of text its bits.
        weights: (N,) for a row 1, or 0 if it was left out; for a window its bytes.
        unit: the name of a unit, in the plural.
        data: sha256 or another identifier of the data; only scores of the same data are compared.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    unit: str
    data: str


class Rows(Protocol):
    """A file of rows of any kind."""

    @property
    def path(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def rows(self) -> Sequence[object]: ...


@dataclass(frozen=True)
class TaskResult:
    """The metrics of a task; and for metrics that can be compared between runs, the scores of the rows."""

    metrics: Metrics
    scores: Mapping[str, Scores] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A benchmark.

    Attributes:
        run: evaluates a model. Its last argument is the folder of the row logs, or None to write none.
        kind: the kind of model that the task evaluates, see `model.loaded`.
        reads_rows: the task needs a file of rows, which is looked for before the model is loaded.
        skips_rows: the task can leave out bad rows of its file.
        options: the options of `EvalConfig` that the task uses, besides those that name data.
    """

    run: Callable[[LoadedModel[Any], EvalConfig, Path | None], TaskResult]
    kind: Kind = "language model"
    reads_rows: bool = True
    skips_rows: bool = False
    options: tuple[str, ...] = ("limit",)


def known(values: Sequence[float | None]) -> list[float]:
    """Returns the values that are not None: those of the rows that were not left out."""
    return [value for value in values if value is not None]


def row_scores(values: Sequence[float | None], file: Rows) -> Scores:
    """Returns the scores of the rows of a file. A None among `values` is a row that was left out; its weight is 0."""
    weights = np.array([float(value is not None) for value in values])
    return Scores(np.array([value or 0.0 for value in values]), weights, "rows", file.sha256)


def open_log(
    task: str, loaded: LoadedModel[Any], data: str, folder: Path | None, settings: Mapping[str, Any] | None = None
) -> RowLog:
    """Opens the row log of a task. Its key is what the results depend on.

    Args:
        data: sha256 of the file of rows; empty if each result identifies what was scored.
        settings: options that the results depend on.
    """
    key = {
        "task": task,
        "model": loaded.values_fingerprint if folder is not None else "",  # hashing takes seconds for a large model
        "tokenizer": loaded.tokenizer.fingerprint,
        "precision": loaded.precision.name,
        "data": data,
        "settings": dict(settings or {}),
    }
    return RowLog(None if folder is None else folder / f"{task}.jsonl", key)


def standard_error(values: list[float]) -> float | None:
    """Returns the standard error of the mean: the sample's standard deviation / √N, as in lm-eval; None for one value.

    Example:
        >>> round(standard_error([0.0, 1.0, 1.0, 1.0]), 6)
        0.25
    """
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def about_rows(file: Rows, config: EvalConfig, loaded: LoadedModel[Any]) -> Metrics:
    """Returns the entries that the metrics of every task on rows have."""
    return {
        "rows": len(file.rows),
        "limit": config.limit,
        "data": file.path,
        "data_sha256": file.sha256,
        "precision": loaded.precision.name,
        "device": loaded.device,
    }

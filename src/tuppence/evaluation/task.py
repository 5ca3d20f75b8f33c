"""The interface of an evaluation task: a model and an `EvalConfig` in, a `TaskResult` out.

A task is a function of a loaded model, an `EvalConfig` and a folder for its row log; `tasks.TASKS` lists them.
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
"""Results of a task by name: plain values ready for JSON."""


@dataclass(frozen=True)
class Scores:
    """One metric unit by unit, so that two runs can be compared on the same units: Σ values / Σ weights.

    Attributes:
        values: (N,) a row's 0 or 1; the bits of a window of text.
        weights: (N,) 1 for a row, 0 for one that was left out; the bytes of a window.
        unit: what a unit is, in the plural.
        data: sha256 or another name of what was scored; only scores of the same data are compared.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    unit: str
    data: str


class Rows(Protocol):
    """A file of rows, whatever they are."""

    @property
    def path(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def rows(self) -> Sequence[object]: ...


@dataclass(frozen=True)
class TaskResult:
    """A task's metrics, and row by row the scores of those that can be compared, by the same names."""

    metrics: Metrics
    scores: Mapping[str, Scores] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A benchmark.

    Attributes:
        run: does it. Its last argument is the folder for its row log, None where nothing is kept.
        kind: of the models it is for, see `model.loaded`.
        reads_rows: it needs a file of rows, which is looked for before anything is loaded.
        skips_rows: it can leave out bad rows of its file.
    """

    run: Callable[[LoadedModel[Any], EvalConfig, Path | None], TaskResult]
    kind: Kind = "language model"
    reads_rows: bool = True
    skips_rows: bool = False


def known(values: Sequence[float | None]) -> list[float]:
    """The values of the rows that were not left out."""
    return [value for value in values if value is not None]


def row_scores(values: Sequence[float | None], file: Rows) -> Scores:
    """Scores of the rows of a file, one each; None for a row that was left out, which then weighs nothing."""
    weights = np.array([float(value is not None) for value in values])
    return Scores(np.array([value or 0.0 for value in values]), weights, "rows", file.sha256)


def open_log(
    task: str, loaded: LoadedModel[Any], data: str, folder: Path | None, settings: Mapping[str, Any] | None = None
) -> RowLog:
    """The row log of a task: its results depend on the model, the tokenizer, the precision and the data.

    Args:
        data: sha256 of the file of rows; empty where each row says for itself what was scored.
        settings: what else they depend on.
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
    """Of the mean: the sample's standard deviation over √N, as lm-eval computes it; None for a single value.

    Example:
        >>> round(standard_error([0.0, 1.0, 1.0, 1.0]), 6)
        0.25
    """
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def about_rows(file: Rows, config: EvalConfig, loaded: LoadedModel[Any]) -> Metrics:
    """The entries that the results of every task on rows have."""
    return {
        "rows": len(file.rows),
        "limit": config.limit,
        "data": file.path,
        "data_sha256": file.sha256,
        "precision": loaded.precision.name,
        "device": loaded.device,
    }

"""Writes metrics to the run's `metrics.jsonl` and, on request, to TensorBoard or to an MLflow server.

In a cloud job, each row is also a line of the log, from which CloudWatch reads metrics (`aws.metric_definitions`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Protocol

from tuppence.core.console import warn
from tuppence.core.errors import InputError, MissingExtraError
from tuppence.core.files import read_json, write_json
from tuppence.core.json_lines import append_json
from tuppence.core.run import Run

TRACKERS = ("none", "tensorboard", "mlflow")
METRIC_LINES_VARIABLE = "TUPPENCE_METRIC_LINES"
"""Set by the entry point of a cloud job."""
METRIC_LINE = "metric:"
"""Beginning of a line of the log that has a row of metrics."""


class Tracker(Protocol):
    """Takes one row of metrics."""

    def log(self, row: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class MetricsFile:
    """Writes `metrics.jsonl`, one object per row. Numbers that are not finite become null."""

    def __init__(self, run: Run) -> None:
        self._path = run.metrics_file

    def log(self, row: dict[str, Any]) -> None:
        append_json(self._path, {key: value for key, value in row.items() if value is not None})

    def close(self) -> None: ...


class TensorBoard:
    """Scalars for TensorBoard, in RUN/tensorboard.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, run: Run, purge_step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "track", "--track tensorboard") from error
        # hides rows that a killed attempt logged after its checkpoint
        self._writer = SummaryWriter(run.tensorboard, purge_step=purge_step)

    def log(self, row: dict[str, Any]) -> None:
        for key, value in row.items():
            if isinstance(value, int | float) and key != "step":
                self._writer.add_scalar(key, value, row["step"])

    def close(self) -> None:
        self._writer.close()


class MetricLines:
    """Writes each row as one line of the log: `metric: step=20 loss=4.25 dollars=0.01`."""

    def log(self, row: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody reads the log any more
            os.write(2, metric_line(row).encode())

    def close(self) -> None: ...


def metric_line(row: dict[str, Any]) -> str:
    """The line of a row. Only numbers are in it, each after a space and its name.

    Example:
        >>> metric_line({"step": 20, "loss": 4.25, "mfu": None})
        'metric: step=20 loss=4.25\\n'
    """
    numbers = " ".join(f"{name}={value if isinstance(value, int) else float(value)}" for name, value in _numbers(row))
    return f"{METRIC_LINE} {numbers}\n"


class MLflow:
    """Metrics in a run of an MLflow server, which MLFLOW_TRACKING_URI names; a continued run continues there.

    Metrics get lost if the server does not answer: a warning is printed, and training goes on.

    Raises:
        InputError: mlflow is not installed.
    """

    def __init__(self, run: Run) -> None:
        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise InputError("--track mlflow needs mlflow", "pip install mlflow") from error
        self._client, self._warned = MlflowClient(), False
        self._id = self._find(run)

    def _find(self, run: Run) -> str:
        """The id of the run on the server: that of an earlier attempt, or of a new run."""
        if run.mlflow_file.is_file():
            return str(read_json(run.mlflow_file, 2**16)["run_id"])
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "tuppence"
        found = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if found is None else found.experiment_id
        made = str(self._client.create_run(experiment, run_name=run.path.resolve().name).info.run_id)
        write_json(run.mlflow_file, {"run_id": made})
        return made

    def log(self, row: dict[str, Any]) -> None:
        try:
            for name, value in _numbers(row):
                if name != "step":
                    self._client.log_metric(self._id, name, float(value), step=int(row["step"]))
        except Exception as error:  # of the network: mlflow has no common one
            if not self._warned:
                warn(f"metrics do not reach MLflow: {type(error).__name__}")
            self._warned = True

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.set_terminated(self._id)


def _numbers(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The finite numbers of a row."""
    for name, value in row.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
            yield name, value


def check_tracker(track: str) -> None:
    """Checks the name of a tracker.

    Raises:
        InputError: `track` is not one of TRACKERS.
    """
    if track not in TRACKERS:
        raise InputError(f"--track {track} is unknown", f"use one of: {', '.join(TRACKERS)}")


def open_trackers(run: Run, track: str, step: int) -> list[Tracker]:
    """Opens the trackers of a run that is at `step`.

    Raises:
        InputError: `track` is not one of TRACKERS.
    """
    check_tracker(track)
    trackers: list[Tracker] = [MetricsFile(run)]
    if track == "tensorboard":
        trackers.append(TensorBoard(run, purge_step=step + 1))
    if track == "mlflow":
        trackers.append(MLflow(run))
    if os.environ.get(METRIC_LINES_VARIABLE):
        trackers.append(MetricLines())
    return trackers

"""Writes metrics to the run's `metrics.jsonl` and, on request, to TensorBoard."""

from __future__ import annotations

from typing import Any, Protocol

from tuppence.core.errors import InputError, MissingExtraError
from tuppence.core.json_lines import append_json
from tuppence.core.run import Run

TRACKERS = ("none", "tensorboard")


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
    return trackers

"""Metrics are written to metrics.jsonl and to TensorBoard."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.training.tracking import open_trackers


def test_rows_are_json_and_what_is_not_finite_is_null(tmp_path: Path) -> None:
    (tracker,) = open_trackers(Run(tmp_path), "none", step=0)
    tracker.log({"step": 1, "loss": math.inf, "mfu": None})
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "loss": None}


def test_tensorboard_reads_what_was_logged(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    trackers = open_trackers(Run(tmp_path), "tensorboard", step=0)
    for tracker in trackers:
        tracker.log({"step": 7, "loss": 2.5})
        tracker.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(7, 2.5)]


def test_an_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown"):
        open_trackers(Run(tmp_path), "abacus", step=0)

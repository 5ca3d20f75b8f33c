"""Metrics are written to metrics.jsonl, to TensorBoard, to MLflow, and as lines of a job's log."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
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


def test_a_job_logs_each_row_as_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUPPENCE_METRIC_LINES", "1")
    for tracker in open_trackers(Run(tmp_path), "none", step=0):
        tracker.log({"step": 3, "loss": np.float64(2.5), "learning_rate": 1e-05, "mfu": None, "grad_norm": math.nan})
        tracker.close()
    assert capfd.readouterr().err == "metric: step=3 loss=2.5 learning_rate=1e-05\n"


class FakeServer:
    """The calls of `mlflow.tracking.MlflowClient` that we use."""

    runs: ClassVar[dict[str, list[tuple[str, float, int]]]] = {}
    broken = False

    def get_experiment_by_name(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(experiment_id="7")

    def create_run(self, experiment: str, run_name: str) -> SimpleNamespace:
        self.runs[f"{run_name}-{len(self.runs)}"] = []
        return SimpleNamespace(info=SimpleNamespace(run_id=list(self.runs)[-1]))

    def log_metric(self, run: str, name: str, value: float, step: int) -> None:
        if FakeServer.broken:
            raise ConnectionError("gone")
        self.runs[run].append((name, value, step))

    def set_terminated(self, run: str) -> None:
        assert run in self.runs


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> type[FakeServer]:
    module = ModuleType("mlflow.tracking")
    module.MlflowClient = FakeServer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", module)
    monkeypatch.setattr(FakeServer, "runs", {})
    monkeypatch.setattr(FakeServer, "broken", False)
    return FakeServer


def test_mlflow_continues_the_run_of_an_earlier_attempt(tmp_path: Path, mlflow: type[FakeServer]) -> None:
    for step in (1, 2):
        for tracker in open_trackers(Run(tmp_path), "mlflow", step=step):
            tracker.log({"step": step, "loss": 2.5, "mfu": None})
            tracker.close()
    assert list(mlflow.runs.values()) == [[("loss", 2.5, 1), ("loss", 2.5, 2)]]


def test_a_lost_mlflow_server_does_not_end_the_run(
    tmp_path: Path, mlflow: type[FakeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    trackers = open_trackers(Run(tmp_path), "mlflow", step=0)
    mlflow.broken = True
    for step in (1, 2):
        for tracker in trackers:
            tracker.log({"step": step, "loss": 2.5})
    assert capsys.readouterr().err.count("metrics do not reach MLflow") == 1
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_mlflow_that_is_not_installed_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match="needs mlflow"):
        open_trackers(Run(tmp_path), "mlflow", step=0)

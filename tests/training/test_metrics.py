"""What a run logs: rows of metrics, samples, the live line; and nothing on ranks other than 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.json_lines import read_json_lines
from tuppence.core.run import Run
from tuppence.cost.ledger import Ledger, Rate
from tuppence.cost.limits import Limits
from tuppence.training.deadline import Deadline
from tuppence.training.metrics import MetricsLogger
from tuppence.training.objective import Sample
from tuppence.training.state import State
from tuppence.training.throughput import Meter


def logger(folder: Path, *, is_main: bool = True) -> MetricsLogger:
    deadline = Deadline(Limits(max_steps=10), Ledger(None, Rate()), Meter(1.0, None, 1))
    made = MetricsLogger(Run(folder), deadline, log_every=2, is_main=is_main)
    made.open(0, {})
    return made


def test_a_row_has_the_mean_loss_since_the_row_before(tmp_path: Path) -> None:
    log = logger(tmp_path)
    state = State(step=1, window_loss=30.0, window_targets=10, window_metrics={"accuracy": 4.0})
    log.step(state)
    state.step, state.window_loss, state.window_targets = 2, 50.0, 20
    log.step(state, learning_rate=0.1)
    (row,) = read_json_lines(tmp_path / "metrics.jsonl")
    assert (row["step"], row["loss"], row["accuracy"], row["learning_rate"]) == (2, 2.5, 0.2, 0.1)
    assert (state.window_loss, state.window_targets, state.window_metrics) == (0.0, 0, {})


def test_an_evaluation_is_a_row_and_its_samples_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = State(step=3, val_loss=1.5, val_metrics={"accuracy": 0.25}, best_step=3)
    logger(tmp_path).evaluation(state, [Sample("Once", " upon a time")])
    (row,) = read_json_lines(tmp_path / "metrics.jsonl")
    assert (row["step"], row["val_loss"], row["val_accuracy"]) == (3, 1.5, 0.25)
    assert list(read_json_lines(tmp_path / "samples.jsonl")) == [{"step": 3, "prompt": "Once", "text": " upon a time"}]
    said = capsys.readouterr().err
    assert "step 3 · validation loss 1.5000 (best so far) · accuracy 0.250" in said
    assert "Once upon a time" in said


def test_other_ranks_write_and_print_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = logger(tmp_path, is_main=False)
    other.step(State(step=2, window_loss=1.0, window_targets=1))
    other.evaluation(State(step=2, val_loss=1.0), [Sample("a", "b")])
    other.say("hello")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_opening_truncates_the_logs_to_a_checkpoint(tmp_path: Path) -> None:
    log = logger(tmp_path)
    state = State(step=2, window_loss=1.0, window_targets=1)
    log.step(state)
    marks = Run(tmp_path).mark()
    state.step = 4
    log.step(state)
    log.open(2, marks)
    assert [row["step"] for row in read_json_lines(tmp_path / "metrics.jsonl")] == [2]

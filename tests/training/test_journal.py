"""The journal's estimate of what is left, and silence on ranks that do not lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.json_lines import read_json_lines
from tuppence.core.run import Run
from tuppence.cost.ledger import Ledger, Rate
from tuppence.cost.limits import Limits
from tuppence.training.journal import Journal
from tuppence.training.state import State
from tuppence.training.throughput import Meter
from tuppence.training.tracking import open_trackers


def journal(folder: Path, limits: Limits) -> Journal:
    run, meter = Run(folder), Meter(1.0, None, 1)
    meter.record(2.0, 200)
    return Journal(
        run=run,
        ledger=Ledger(None, Rate()),
        limits=limits,
        meter=meter,
        open_trackers=lambda step: open_trackers(run, "none", step),
        log_every=2,
        leads=True,
    )


def test_time_to_go_is_that_of_the_nearest_limit(tmp_path: Path) -> None:
    assert journal(tmp_path, Limits(max_steps=10)).seconds_to_go(4, elapsed=0) == pytest.approx(12)
    both = journal(tmp_path, Limits(max_steps=10, max_seconds=5))
    assert both.seconds_to_go(4, elapsed=1) == pytest.approx(4)


def test_a_row_is_the_mean_of_its_window(tmp_path: Path) -> None:
    book = journal(tmp_path, Limits(max_steps=10))
    book.open(0, {})
    state = State(step=1, window_loss=30.0, window_targets=10)
    book.step(state, 1.0)
    state.step, state.window_loss, state.window_targets = 2, 50.0, 20
    book.step(state, 2.0, learning_rate=0.1)
    (row,) = read_json_lines(tmp_path / "metrics.jsonl")
    assert row["loss"] == 2.5
    assert row["learning_rate"] == 0.1
    assert state.window_targets == 0

"""What every training verb decides before the first step and says after the last. Whole runs: tests/integration."""

from __future__ import annotations

from pathlib import Path

from tuppence.tasks.session import FREE_TO_CHANGE, RunOptions, _limits, describe_result
from tuppence.training.config import TrainConfig


def test_without_a_limit_the_run_has_its_default_steps() -> None:
    assert _limits(TrainConfig(), RunOptions(), default_steps=33).max_steps == 33
    assert _limits(TrainConfig(), RunOptions(max_minutes=2.0), 33).max_steps is None
    assert _limits(TrainConfig(max_steps=7), RunOptions(max_minutes=2.0), 33).max_steps == 7


def test_keys_that_may_change_exist() -> None:
    assert set(TrainConfig.model_fields) >= FREE_TO_CHANGE


def test_the_end_of_a_run_is_told_with_its_receipt() -> None:
    result = {"steps": 5, "tokens": 500, "best_val_loss": 1.5, "best_step": 4, "seconds": 90, "attempts": 2}
    summary = {
        "status": "done",
        "ended_because": "reached",
        "result": {**result, "dollars": 0.25, "tokens_per_second": 1234.0},
    }
    text = describe_result(Path("runs/x"), summary, "tuppence generate runs/x")
    for part in ("1.5000", "$0.2500", "1m30s", "2 attempts", "1,234 tokens", "tuppence generate runs/x"):
        assert part in text

"""The limits of a run, and the checkpoint that an attempt starts from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tests.tasks.toy_job import toy_job
from torch import nn

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.cost.ledger import Rate
from tuppence.cost.limits import Limits
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.start import Start, announce, find_start, limits_of
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution


def test_without_a_limit_the_run_has_its_default_steps() -> None:
    assert limits_of(TrainConfig(), RunOptions(), default_steps=33).max_steps == 33
    assert limits_of(TrainConfig(), RunOptions(max_minutes=2.0), 33).max_steps is None
    assert limits_of(TrainConfig(max_steps=7), RunOptions(max_minutes=2.0), 33).max_steps == 7


def test_other_ranks_get_the_start_as_json() -> None:
    start = Start({"status": "done"}, "runs/x/checkpoints/step-00000004", None)
    assert Start(**json.loads(json.dumps(dataclasses.asdict(start)))) == start


def test_a_checkpoint_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no checkpoint"):
        find_start(Run(tmp_path), toy_job(tmp_path), RunOptions(resume=str(tmp_path / "step-00000001")))


def test_the_announcement_says_sizes_and_the_most_it_can_cost(capsys: pytest.CaptureFixture[str]) -> None:
    execution = Execution("cpu", "float32", compile=False)
    rate = Rate(3.0, "test")
    limits = limits_of(TrainConfig(), RunOptions(max_minutes=60.0, rate=rate), default_steps=1)
    announce(nn.Linear(3, 4), limits, 100, execution)
    said = " ".join(capsys.readouterr().err.split())
    assert "16 parameters · 100 tokens a step" in said
    assert "at most $3.0000" in said
    announce(nn.Linear(3, 4), Limits(max_steps=5, rate_usd_per_hour=3.0), 100, execution)
    assert "5 steps (500 tokens) · no cap, at $3 an hour" in " ".join(capsys.readouterr().err.split())

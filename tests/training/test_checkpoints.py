"""A checkpoint restores the complete state of a run, and is refused for another model or recipe."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from tests.training.toy import toy_loop, weights
from tuppence.core.errors import InputError
from tuppence.cost.limits import Limits
from tuppence.training.checkpoint import checkpoint_path


def test_an_empty_run_has_nothing_to_restore(tmp_path: Path) -> None:
    assert toy_loop(tmp_path).checkpoints.restore() is None


def test_weights_optimizer_and_state_come_back(tmp_path: Path) -> None:
    loop = toy_loop(tmp_path)
    loop.run()
    other = toy_loop(tmp_path)
    found = other.checkpoints.restore()
    assert found is not None
    path, state, marks = found
    assert path == checkpoint_path(tmp_path / "checkpoints", 12)
    assert dataclasses.replace(state, clock=loop.state.clock) == loop.state
    assert state.best_step == state.evaluated_step == 12
    assert marks["metrics.jsonl"] <= (tmp_path / "metrics.jsonl").stat().st_size
    assert torch.equal(weights(other), weights(loop))
    before, after = loop.step.optimizers.state(), other.step.optimizers.state()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert other.checkpoints.saved_step == 12


def test_the_checkpoint_of_another_run_truncates_no_logs(tmp_path: Path) -> None:
    toy_loop(tmp_path / "a").run()
    other = toy_loop(tmp_path / "b", resume=checkpoint_path(tmp_path / "a" / "checkpoints", 12))
    found = other.checkpoints.restore()
    assert found is not None
    assert found[2] == {}
    assert other.checkpoints.saved_step is None


def test_another_optimizer_s_checkpoint_is_refused(tmp_path: Path) -> None:
    toy_loop(tmp_path, optimizer="adamw").run()
    with pytest.raises(InputError, match="does not fit"):
        toy_loop(tmp_path, optimizer="muon").checkpoints.restore()


def test_checkpoints_are_due_by_step_and_by_clock(tmp_path: Path) -> None:
    manager = toy_loop(tmp_path, checkpoint_every=4, checkpoint_minutes=0).checkpoints
    assert [step for step in range(10) if manager.due_by_step(step)] == [4, 8]
    assert not manager.due_by_clock()
    assert toy_loop(tmp_path / "b", checkpoint_minutes=1e-9).checkpoints.due_by_clock()


def test_without_a_better_evaluation_the_last_weights_are_the_result(tmp_path: Path) -> None:
    loop = toy_loop(tmp_path, limits=Limits(max_steps=2))
    loop.run()
    before = weights(loop).clone()
    assert loop.checkpoints.load_result(loop.state)[0].step == 2
    assert torch.equal(weights(loop), before)


def test_trained_model_is_not_replaced_because_its_checkpoints_are_gone(tmp_path: Path) -> None:
    toy_loop(tmp_path).run()
    shutil.rmtree(tmp_path / "checkpoints")
    loop = toy_loop(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    loop.checkpoints._run.update(result={"steps": 12})
    with pytest.raises(InputError, match="has a trained model and no undamaged checkpoint"):
        loop.run()

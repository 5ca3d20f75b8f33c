"""What training verbs do around the loop, with a toy problem. Whole runs: tests/integration."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tasks.toy_job import toy_job
from tests.training.toy import Toy

from tuppence.core.errors import InputError, Interrupted, NonFiniteError, OutOfMemoryError
from tuppence.core.run import Run
from tuppence.cost.ledger import Rate
from tuppence.tasks import choose_execution
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train


def test_the_cost_of_measuring_the_result_is_counted(tmp_path: Path) -> None:
    def measure() -> dict[str, Any]:
        time.sleep(0.5)
        return {"evaluation": {"accuracy": 1.0}}

    summary = train(toy_job(tmp_path, measure), RunOptions(rate=Rate(3600.0, "a dollar a second")))
    assert summary["evaluation"] == {"accuracy": 1.0}
    result = summary["result"]
    assert result["seconds"] - result["train_seconds"] - result["startup_seconds"] > 0.4
    assert result["dollars"] == pytest.approx(result["seconds"], abs=0.1)


def test_a_measurement_never_passes_the_run_s_limits(tmp_path: Path) -> None:
    def measure() -> dict[str, Any]:
        time.sleep(300)
        return {"evaluation": {}}

    summary = train(toy_job(tmp_path, measure), RunOptions(max_minutes=0.1))
    assert "evaluation" not in summary
    assert summary["status"] == "done"
    assert summary["result"]["seconds"] < 9.0  # a busy machine


def test_after_a_signal_during_the_measurement_the_same_job_measures_again(tmp_path: Path) -> None:
    def stopped() -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        return {"evaluation": {}}

    with pytest.raises(Interrupted):
        train(toy_job(tmp_path, stopped), RunOptions())
    again = train(toy_job(tmp_path, lambda: {"evaluation": {"accuracy": 0.5}}), RunOptions())
    assert again["evaluation"] == {"accuracy": 0.5}
    assert (again["status"], again["result"]["steps"]) == ("done", 2)


@pytest.mark.parametrize("of", ["this run", "another run"])
def test_the_same_command_with_resume_continues_its_own_checkpoints(
    of: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def go(out: Path, steps: int, resume: str = "auto") -> str:
        train(toy_job(out, max_steps=steps, checkpoint_every=1, schedule="constant"), RunOptions(resume=resume))
        return " ".join(capsys.readouterr().err.split())

    out, first = tmp_path / "run", tmp_path / "run"
    if of == "another run":
        first = tmp_path / "first"
    go(first, 4)
    asked = first / "checkpoints" / "step-00000003"
    assert f"continuing from {asked} (step 3)" in go(out, 6, resume=str(asked))
    shutil.rmtree(asked, ignore_errors=True)  # pruned meanwhile
    told = go(out, 9, resume=str(asked))
    assert f"{out} has already continued from {asked}, and goes on" in told
    assert "(step 6)" in told


def test_a_run_without_time_for_a_step_says_that_its_model_is_not_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure() -> dict[str, Any]:
        raise AssertionError("there is no model to measure")

    summary = train(
        toy_job(tmp_path / "run", measure), RunOptions(budget_usd=1e-9, rate=Rate(3600.0, "a dollar a second"))
    )
    assert (summary["status"], summary["result"]["steps"]) == ("done", 0)
    assert "before the first step: " in " ".join(capsys.readouterr().err.split())


def test_a_run_whose_model_is_gone_is_not_done(tmp_path: Path) -> None:
    train(toy_job(tmp_path), RunOptions())
    (Run(tmp_path).model / "config.json").unlink()
    summary = train(toy_job(tmp_path), RunOptions())
    assert (summary["status"], summary["result"]["attempts"]) == ("done", 2)
    assert Run(tmp_path).has_model()


def test_the_lock_of_a_process_killed_after_its_run_was_done_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(toy_job(out, max_steps=2), RunOptions())
    (out / ".lock").touch()
    train(toy_job(out, max_steps=2), RunOptions())
    assert not (out / ".lock").exists()


def test_a_signal_before_the_first_step_says_that_nothing_was_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped() -> Toy:
        return Toy(on_loss=lambda step: os.kill(os.getpid(), signal.SIGTERM))

    with pytest.raises(Interrupted):
        train(dataclasses.replace(toy_job(tmp_path), objective=stopped), RunOptions())
    record = Run(tmp_path).read()
    assert (record["status"], record["result"]["steps"], record["result"]["tokens"]) == ("stopped", 0, 0)
    assert "SIGTERM before the first step: nothing was trained" in " ".join(capsys.readouterr().err.split())
    assert not Run(tmp_path).has_model()


def test_steps_and_tokens_of_the_result_exclude_a_step_that_is_not_finite(tmp_path: Path) -> None:
    def broken() -> Toy:
        toy = Toy()
        toy.scale = lambda step: float("nan") if step == 3 else 1.0
        return toy

    with pytest.raises(NonFiniteError, match="step 3"):
        train(dataclasses.replace(toy_job(tmp_path, max_steps=9), objective=broken), RunOptions())
    result = Run(tmp_path).read()["result"]
    assert (result["steps"], result["tokens"]) == (3, 3 * 48)


def test_the_peak_is_measured_once_and_before_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(choose_execution, "device_peak", lambda *of: told.append("peak"))
    monkeypatch.setattr(torch, "manual_seed", lambda seed: told.append("seed"))
    train(toy_job(tmp_path / "run", compile="off"), RunOptions())
    assert told[:2] == ["peak", "seed"]
    assert told.count("peak") == 1


class Hungry(Toy):
    """Needs more memory than there is, from some step on."""

    def loss(self, model: torch.nn.Module, *batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if self.current == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total …")
        return super().loss(model, *batch)


def test_out_of_memory_names_settings_with_which_the_run_continues(tmp_path: Path) -> None:
    settings = {"max_steps": 5, "checkpoint_every": 2, "batch_size": 8}
    hungry = dataclasses.replace(toy_job(tmp_path, **settings), objective=Hungry)
    with pytest.raises(OutOfMemoryError, match=r"2\.00 GiB") as caught:
        train(hungry, RunOptions())
    assert "train.batch_size=4 --set train.accumulation_steps=2" in caught.value.hint
    record = Run(tmp_path).read()
    assert (record["status"], record["ended_because"]) == ("failed", caught.value.message)
    lower = {**settings, "batch_size": 4, "accumulation_steps": 2}
    summary = train(toy_job(tmp_path, **lower), RunOptions())
    assert (summary["status"], summary["result"]["steps"], summary["result"]["attempts"]) == ("done", 5, 2)


def test_a_run_in_fp16_says_how_to_continue_on_a_device_without_it(tmp_path: Path) -> None:
    job = toy_job(tmp_path / "run")
    train(job, RunOptions())
    Run(tmp_path / "run").update(machine={"precision": "fp16", "compile": False, "ranks": 1}, status="stopped")
    with pytest.raises(InputError, match="started in fp16") as caught:
        train(job, RunOptions())
    checkpoint = caught.value.hint.split("--resume ")[1].split(",")[0]
    assert Path(checkpoint).is_dir()
    assert "train.precision=auto" in caught.value.hint
    follow = toy_job(tmp_path / "new", max_steps=4, precision="auto")
    summary = train(follow, RunOptions(resume=checkpoint))
    assert summary["result"]["steps"] == 4

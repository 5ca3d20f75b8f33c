"""The budget is never exceeded and no trained model is lost, whatever is killed, however slow the disk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tests.integration.command_lines import settings
from tests.lives import KILLED, History, World, live, live_on

from tuppence.cost.ledger import read_attempts
from tuppence.model.weights import load_model
from tuppence.training.checkpoint import list_checkpoints, newest_good_checkpoint

RATE = 3600.0
"""A dollar a second."""


class Watch:
    """Looks at a run between two lives: what must hold at every moment."""

    def __init__(self, run: Path, budget: float) -> None:
        self.run, self.budget = run, budget
        self.newest, self.had_model = -1, False

    def __call__(self, history: History) -> None:
        assert set(history.codes) <= {0, KILLED}, history.codes
        assert history.seconds <= self.budget, f"{history.seconds} s of {self.budget}"
        spent = sum(attempt.dollars for attempt in read_attempts(self.run / "ledger.jsonl"))
        assert spent <= self.budget + 1e-6
        assert history.seconds <= spent + 1e-6, "more seconds were used than are in the ledger"
        found = newest_good_checkpoint(self.run / "checkpoints")
        if self.newest >= 0:
            assert found is not None, "a verified checkpoint was there before"
        if found is not None:
            assert found[1].state["step"] >= self.newest
            self.newest = found[1].state["step"]
        if self.had_model:
            assert (self.run / "model" / "config.json").exists(), "a model was there before"
        if (self.run / "model" / "config.json").exists():
            self.had_model = True
            assert found is not None
            assert found[1].state["step"] > 0
            load_model(self.run / "model")


def scenario(corpus: Path, run: Path, seed: int, lives: int) -> History:
    """One run under a budget, on a machine drawn by `seed`."""
    chance = random.Random(seed)
    budget = round(10 ** chance.uniform(1.0, 2.3), 2)
    world = World(
        bytes_per_second=10 ** chance.uniform(4.5, 7.5),
        step_seconds=10 ** chance.uniform(-0.7, 0.9),
        startup_seconds=10 ** chance.uniform(0.0, 1.0),
        slow_share=chance.choice([0.0, 0.02, 0.1]),
        slow_factor=chance.choice([2.0, 5.0, 20.0]),
    )
    command = ["pretrain", "--data", corpus / "data", "--out", run, "--budget", budget, "--rate", RATE]
    more = (
        "train.eval_tokens=64",
        "train.sample_tokens=0",
        "train.checkpoint_minutes=0.2",
        f"train.eval_every={chance.choice([0, 5, 20])}",
    )
    words = [*map(str, command), *settings(*more)]
    mean_life = chance.choice([0.1, 0.3, 1.0, 3.0]) * budget
    return live_on(words, run, world, chance, mean_life=mean_life, lives=lives, after_each=Watch(run, budget))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_budget_holds_over_simulated_lives(corpus: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a forked process has no threads but its own
    try:
        histories = [scenario(corpus, tmp_path / str(seed), seed, lives=8) for seed in range(4)]
    finally:
        torch.set_num_threads(threads)
    assert sum(history.kills for history in histories) >= 5
    assert any(history.refusals for history in histories)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_budget_holds_over_hundreds_of_simulated_lives(corpus: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    total = History()
    for seed in range(1000, 1120):
        one = scenario(corpus, tmp_path / str(seed), seed, lives=12)
        total.lives, total.kills = total.lives + one.lives, total.kills + one.kills
        total.refusals += one.refusals
    print(f"{total.lives} lives, {total.kills} killed, {total.refusals} refused")
    assert total.lives > 300


def test_run_without_a_kill_ends_by_itself_with_its_best_weights(corpus: Path, tmp_path: Path) -> None:
    run, chance = tmp_path / "run", random.Random(1)
    world = World(bytes_per_second=1e6, step_seconds=0.5, startup_seconds=3.0, slow_share=0.0)
    command = ["pretrain", "--data", str(corpus / "data"), "--out", str(run), "--budget", "100", "--rate", str(RATE)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        code, seconds = live([*command, *settings("train.eval_tokens=64")], world, chance, float("inf"))
    finally:
        torch.set_num_threads(threads)
    assert code == 0
    assert 70 < seconds <= 100
    told = (run / "run.yaml").read_text()
    assert "status: done" in told
    assert "model_because: the last and the best" in told


# ---- real time ---------------------------------------------------------------------------------------------------

SLOW_DISK = """
import os, sys, time
_fsync = os.fsync
def fsync(descriptor):
    time.sleep(os.fstat(descriptor).st_size / float(os.environ["BYTES_PER_SECOND"]))
    _fsync(descriptor)
os.fsync = fsync
"""


def real_lives(corpus: Path, folder: Path, *, budget: float, speed: float, lives: int, seed: int) -> History:
    """The same in real time: processes on a disk that is slowed down, killed by SIGKILL."""
    (folder / "slow").mkdir()
    (folder / "slow" / "sitecustomize.py").write_text(SLOW_DISK)
    path = os.pathsep.join([str(folder / "slow"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "BYTES_PER_SECOND": str(speed), "OMP_NUM_THREADS": "1"}
    run, chance, history = folder / "run", random.Random(seed), History()
    command = [sys.executable, "-m", "tuppence", "pretrain", "--data", corpus / "data", "--out", run]
    command += ["--budget", budget, "--rate", RATE, *settings("train.eval_tokens=64", "train.checkpoint_minutes=0.1")]
    watch = Watch(run, budget)
    while history.lives < lives and not history.refusals:
        before = len(read_attempts(run / "ledger.jsonl"))
        began, kill_after = time.monotonic(), chance.expovariate(1 / (0.6 * budget))
        process = subprocess.Popen(
            [*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        seconds, refused = time.monotonic() - began, len(read_attempts(run / "ledger.jsonl")) == before
        history.lives += 1
        history.kills += process.returncode == -signal.SIGKILL
        history.codes.append(KILLED if process.returncode == -signal.SIGKILL else process.returncode)
        assert process.returncode in (0, -signal.SIGKILL), errors
        if refused:  # or killed before the interpreter ran its first line
            history.refusals += process.returncode == 0
        else:
            history.seconds += seconds
        watch(history)
    return history


def test_budget_holds_in_real_time_on_a_slow_disk(corpus: Path, tmp_path: Path) -> None:
    history = real_lives(corpus, tmp_path, budget=25.0, speed=5e4, lives=4, seed=3)
    assert list_checkpoints(tmp_path / "run" / "checkpoints") or history.kills


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(12))
def test_budget_holds_over_dozens_of_real_lives(corpus: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    budget, speed = chance.choice([15.0, 25.0, 40.0]), 10 ** chance.uniform(4.5, 6.5)
    real_lives(corpus, tmp_path, budget=budget, speed=speed, lives=6, seed=seed)

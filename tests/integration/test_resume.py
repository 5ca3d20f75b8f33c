"""Killed, stopped or cut off: the same command again ends in the same bits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from tests.integration.command_lines import digest, settings
from tests.integration.conftest import Run, Start
from tests.kills import TWO_THREADS, kill_until_done, logged_rows

STEPS = 60
EVERY = ("train.checkpoint_every=4", "train.eval_every=12", "model.dropout=0.1", "train.optimizer=muon")


def line(corpus: Path, out: Path, *more: object, steps: int = STEPS) -> list[str]:
    words = ["pretrain", "--data", corpus / "data", "--out", out, "--max-steps", steps, *settings(*EVERY), *more]
    return [str(word) for word in words]


def trained(tuppence: Run, words: list[str]) -> str:
    """Runs a command that must succeed, on two threads; returns its messages."""
    done = tuppence(*words, env=TWO_THREADS)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def uninterrupted(tuppence: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole") / "run"
    trained(tuppence, line(corpus, out))
    return digest(out, STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_sigkill_at_random_moments_changes_no_bit(
    start_tuppence: Start, corpus: Path, tmp_path: Path, uninterrupted: dict[str, str], seed: int
) -> None:
    start = partial(start_tuppence, *line(corpus, tmp_path / "run"), env=TWO_THREADS)
    kill_until_done(start, tmp_path / "run", seed, 6, progress=logged_rows)
    assert digest(tmp_path / "run", STEPS) == uninterrupted


@pytest.mark.slow
def test_all_kinds_of_signals_change_no_bit(
    start_tuppence: Start, corpus: Path, tmp_path: Path, uninterrupted: dict[str, str]
) -> None:
    signals = [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
    start = partial(start_tuppence, *line(corpus, tmp_path / "run"), env=TWO_THREADS)
    kill_until_done(start, tmp_path / "run", 4, 4, progress=logged_rows, signals=signals)
    assert digest(tmp_path / "run", STEPS) == uninterrupted


def test_a_damaged_checkpoint_is_skipped_with_a_warning(tuppence: Run, corpus: Path, tmp_path: Path) -> None:
    out, constant = tmp_path / "run", ("--set", "train.schedule=constant")
    trained(tuppence, line(corpus, out, *constant, steps=20))
    file = out / "checkpoints" / "step-00000020" / "optimizer.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)
    told = trained(tuppence, line(corpus, out, *constant))
    assert "damaged" in told
    assert "step-00000016" in told
    trained(tuppence, line(corpus, tmp_path / "whole", *constant))
    assert digest(out, STEPS) == digest(tmp_path / "whole", STEPS)


def test_sigterm_saves_writes_the_model_and_exits_143(start_tuppence: Start, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start_tuppence(*line(corpus, out, "--json", steps=100_000))
    while not list((out / "checkpoints").glob("step-*8")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    told, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "stopped by SIGTERM at step" in " ".join(errors.split())
    summary = json.loads(told)
    assert (summary["status"], summary["ended_because"]) == ("stopped", "stopped by SIGTERM")
    assert summary["result"]["steps"] > 0
    assert (out / "model" / "model.safetensors").exists()
    assert "status: stopped" in (out / "run.yaml").read_text()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX limits")
def test_full_disk_is_one_error_and_earlier_checkpoints_stay_intact(
    tuppence: Run, corpus: Path, tmp_path: Path
) -> None:
    import resource

    out, constant = tmp_path / "run", ("--set", "train.schedule=constant")
    trained(tuppence, line(corpus, out, *constant, steps=8))
    before = (out / "checkpoints" / "step-00000008" / "MANIFEST.json").read_bytes()
    longer = line(corpus, out, *constant, steps=12)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    command = [sys.executable, "-m", "tuppence", *longer]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=small_files)
    assert done.returncode == 2, done.stderr
    assert "no space left" in done.stderr
    assert (out / "checkpoints" / "step-00000008" / "MANIFEST.json").read_bytes() == before
    assert not list((out / "checkpoints").glob(".*"))
    trained(tuppence, longer)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_killed_twice_changes_no_bit_and_leaves_at_once_while_compiling(
    tuppence: Run, start_tuppence: Start, corpus: Path, tmp_path: Path
) -> None:
    compiled = ("--set", "train.compile=true", "--set", "model.n_layers=1")  # a block more is seconds more to compile
    whole, cut = (line(corpus, tmp_path / name, *compiled) for name in ("whole", "cut"))
    trained(tuppence, whole)
    process = start_tuppence(*cut, env={**TWO_THREADS, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cold")})
    while not (tmp_path / "cut" / "ledger.jsonl").exists():
        time.sleep(0.02)
    time.sleep(3)  # in the middle of compiling
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert time.monotonic() - started < 25
    start = partial(start_tuppence, *cut, env=TWO_THREADS)
    kill_until_done(start, tmp_path / "cut", 5, 1, progress=logged_rows)
    assert digest(tmp_path / "cut", STEPS) == digest(tmp_path / "whole", STEPS)

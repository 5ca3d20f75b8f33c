"""Killed, stopped or cut off: the same command again ends in the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.conftest import Run, settings
from tests.kills import TWO_THREADS, kill_until_done, logged_rows

STEPS = 60
EVERY = ("train.checkpoint_every=4", "train.eval_every=12", "model.dropout=0.1", "train.optimizer=muon")


def line(corpus: Path, out: Path, *more: object) -> list[str]:
    words = ["pretrain", "--data", corpus / "data", "--out", out, "--max-steps", STEPS, *settings(*EVERY), *more]
    return [sys.executable, "-m", "tuppence", *map(str, words)]


def digest(run: Path) -> dict[str, str]:
    """What must be equal: the result, and the last checkpoint with its optimizer state."""
    files = [run / "model" / "model.safetensors"]
    files += [run / "checkpoints" / f"step-{STEPS:08d}" / f"{name}.safetensors" for name in ("model", "optimizer")]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def uninterrupted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run(line(corpus, out), check=True, capture_output=True, env=TWO_THREADS)
    return digest(out)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_sigkill_at_random_moments_changes_no_bit(
    corpus: Path, tmp_path: Path, uninterrupted: dict[str, str], seed: int
) -> None:
    kill_until_done(line(corpus, tmp_path / "run"), tmp_path / "run", seed, 6, progress=logged_rows)
    assert digest(tmp_path / "run") == uninterrupted


@pytest.mark.slow
def test_all_kinds_of_signals_change_no_bit(corpus: Path, tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    signals = [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
    kill_until_done(line(corpus, tmp_path / "run"), tmp_path / "run", 4, 4, progress=logged_rows, signals=signals)
    assert digest(tmp_path / "run") == uninterrupted


def test_a_damaged_checkpoint_is_passed_over_loudly(
    tuppence: Run, corpus: Path, tmp_path: Path, uninterrupted: dict[str, str]
) -> None:
    out = tmp_path / "run"
    first = line(corpus, out)
    first[first.index("--max-steps") + 1] = "20"
    first += ["--set", "train.schedule=constant"]
    subprocess.run(first, check=True, capture_output=True, env=TWO_THREADS)
    file = out / "checkpoints" / "step-00000020" / "optimizer.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)
    first[first.index("--max-steps") + 1] = str(STEPS)
    done = subprocess.run(first, capture_output=True, text=True, env=TWO_THREADS)
    assert done.returncode == 0, done.stderr
    assert "damaged" in done.stderr
    assert "step-00000016" in done.stderr
    whole = line(corpus, tmp_path / "whole", "--set", "train.schedule=constant")
    subprocess.run(whole, check=True, capture_output=True, env=TWO_THREADS)
    assert digest(out) == digest(tmp_path / "whole")


def test_sigterm_saves_writes_the_model_and_exits_143(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = line(corpus, out, "--json")
    command[command.index("--max-steps") + 1] = "100000"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not list((out / "checkpoints").glob("step-*8")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    told, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "stopped by SIGTERM at step" in " ".join(errors.decode().split())
    summary = json.loads(told)
    assert (summary["status"], summary["ended_because"]) == ("stopped", "stopped by SIGTERM")
    assert summary["result"]["steps"] > 0
    assert (out / "model" / "model.safetensors").exists()
    assert "status: stopped" in (out / "run.yaml").read_text()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX limits")
def test_a_full_disk_is_one_clear_error_and_costs_nothing_written_before(corpus: Path, tmp_path: Path) -> None:
    import resource

    out = tmp_path / "run"
    first = line(corpus, out, "--set", "train.schedule=constant")
    first[first.index("--max-steps") + 1] = "8"
    subprocess.run(first, check=True, capture_output=True, env=TWO_THREADS)
    before = (out / "checkpoints" / "step-00000008" / "MANIFEST.json").read_bytes()
    first[first.index("--max-steps") + 1] = "12"

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run(first, capture_output=True, text=True, preexec_fn=small_files)
    assert done.returncode == 2, done.stderr
    assert "no space left" in done.stderr
    assert (out / "checkpoints" / "step-00000008" / "MANIFEST.json").read_bytes() == before
    assert not list((out / "checkpoints").glob(".*"))
    again = subprocess.run(first, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_killed_twice_changes_no_bit_and_leaves_at_once_while_compiling(
    corpus: Path, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    compiled = ("--set", "train.compile=true")
    subprocess.run(line(corpus, whole, *compiled), check=True, capture_output=True, env=TWO_THREADS)
    environment = {**TWO_THREADS, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cold")}
    process = subprocess.Popen(line(corpus, cut, *compiled), stderr=subprocess.PIPE, env=environment)
    while not (cut / "ledger.jsonl").exists():
        time.sleep(0.02)
    time.sleep(3)  # in the middle of compiling
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert time.monotonic() - started < 25
    kill_until_done(line(corpus, cut, *compiled), cut, 5, 2, progress=logged_rows)
    assert digest(cut) == digest(whole)

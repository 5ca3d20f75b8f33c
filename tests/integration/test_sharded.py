"""Ranks that divide the model give the run of one rank: losses, weights, files, kills; through the command line."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from safetensors.torch import load_file
from tests.integration.command_lines import column, digest, finetune_line, losses, settings
from tests.integration.conftest import Run, Start
from tests.ranks import as_ranks

STEPS = 12
COMMON = ("train.precision=float32", "train.eval_every=6", "train.schedule=constant")
FSDP = ("train.parallel=fsdp", "train.batch_size=4")

Words = Callable[..., list[object]]


@pytest.fixture(scope="module")
def words(corpus: Path) -> Words:
    def line(out: Path, *more: str, steps: int = STEPS) -> list[object]:
        head = ["pretrain", "--data", corpus / "data", "--out", out, "--max-steps", steps]
        return [*head, *settings(*COMMON, *more)]

    return line


@pytest.fixture(scope="module")
def sms(tuppence: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sms") / "sms.tsv"
    assert tuppence("data", "synth", "sms", "--count", 120, "--out", out).returncode == 0
    return out


@pytest.fixture(scope="module")
def alone(tuppence: Run, words: Words, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "run"
    done = tuppence(*words(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def divided(start_tuppence: Start, words: Words, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("divided") / "run"
    train(start_tuppence, words(out, *FSDP))
    return out


def train(start: Start, line: list[object], ranks: int = 2) -> str:
    """Runs a command line on ranks; returns what rank 0 wrote to stderr."""
    ended = as_ranks(start, [line] * ranks)
    for done in ended:
        assert done.returncode == 0, done.stderr
    return ended[0].stderr


def assert_close(run: Path, other: Path) -> None:
    """The same losses, norms and weights, except for the rounding of sums."""
    for key in ("loss", "val_loss", "grad_norm"):
        assert column(run, key) == pytest.approx(column(other, key), abs=1e-4)
    assert column(run, "tokens") == column(other, "tokens")
    weights, others = (load_file(each / "model" / "model.safetensors") for each in (run, other))
    assert weights.keys() == others.keys()
    # AdamW divides by the root of the second moment: an element with a tiny gradient moves by up to lr = 0.01 a step
    for name, weight in weights.items():
        apart = (weight - others[name]).abs()
        assert apart.max() < 1e-3, name
        assert apart.mean() < 1e-5, name


def kill_when_saved(start: Start, line: list[object], checkpoint: Path, ranks: int = 2, seconds: float = 120) -> None:
    """Starts ranks, and kills all of them as soon as the checkpoint exists, or after a time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(ranks)}
    processes = [start(*line, env={**group, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(ranks)]
    until = time.monotonic() + seconds
    while not checkpoint.exists() and time.monotonic() < until and processes[0].poll() is None:
        time.sleep(0.01)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    for process in processes:
        process.communicate()


def test_two_ranks_that_divide_the_model_equal_one(alone: Path, divided: Path) -> None:
    assert_close(divided, alone)
    for name in ("config.json", "tokenizer.json", "generation_config.json"):
        assert (divided / "model" / name).read_bytes() == (alone / "model" / name).read_bytes()
    checkpoint = f"checkpoints/step-{STEPS:08d}"
    for name in ("model.safetensors", "optimizer.safetensors", "MANIFEST.json"):
        mine, theirs = (run / checkpoint / name for run in (divided, alone))
        assert mine.stat().st_size == pytest.approx(theirs.stat().st_size, abs=8)  # digits of sizes
    moments, others = (load_file(run / checkpoint / "optimizer.safetensors") for run in (divided, alone))
    assert moments.keys() == others.keys()


def test_a_run_killed_on_every_rank_continues_to_the_same_bits(
    start_tuppence: Start, words: Words, divided: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    line = words(out, *FSDP)
    kill_when_saved(start_tuppence, line, out / "checkpoints" / "step-00000006" / "MANIFEST.json")
    assert not (out / "model").exists()
    train(start_tuppence, line)
    assert digest(out, STEPS) == digest(divided, STEPS)
    assert losses(out) == losses(divided)


def test_one_rank_continues_a_run_of_two_with_the_same_sequences(
    tuppence: Run, words: Words, divided: Path, alone: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(divided, out)
    shutil.rmtree(out / "checkpoints" / f"step-{STEPS:08d}")
    shutil.rmtree(out / "model")
    refused = tuppence(*words(out, *FSDP))
    assert refused.returncode == 2
    assert "a step would have 4 sequences instead of 8" in refused.stderr
    done = tuppence(*words(out, "train.batch_size=2", "train.accumulation_steps=4"))
    assert done.returncode == 0, done.stderr
    assert "was started on 2 ranks, and now there is 1" in done.stderr
    assert_close(out, alone)


def test_what_the_ranks_cannot_divide_is_refused_before_the_run_begins(
    start_tuppence: Start, words: Words, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first, second = as_ranks(start_tuppence, [words(out, *FSDP, "train.optimizer=muon")] * 2)
    assert (first.returncode, second.returncode) == (2, 2)
    assert "error: train.parallel=fsdp divides matrices by rows" in first.stderr
    assert "error" not in second.stderr
    assert not out.exists()


@pytest.mark.soak
@pytest.mark.parametrize(
    ("ranks", "more"),
    [
        (4, ("train.batch_size=2",)),
        (2, ("train.batch_size=2", "train.accumulation_steps=2")),
        (2, ("train.batch_size=4", "train.activation_checkpointing=true")),
    ],
)
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_any_division_of_a_step_equals_one_rank(
    start_tuppence: Start, words: Words, alone: Path, tmp_path: Path, ranks: int, more: tuple[str, ...], parallel: str
) -> None:
    out = tmp_path / "run"
    train(start_tuppence, words(out, f"train.parallel={parallel}", *more), ranks)
    assert_close(out, alone)


@pytest.mark.soak
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_compiled_run_of_two_ranks_comes_close_to_an_eager_one_and_survives_a_kill(
    start_tuppence: Start, words: Words, alone: Path, tmp_path: Path, parallel: str
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    more = (f"train.parallel={parallel}", "train.batch_size=4", "train.compile=true")
    train(start_tuppence, words(whole, *more))
    assert losses(whole) == pytest.approx(losses(alone), abs=2e-3)
    kill_when_saved(start_tuppence, words(cut, *more), cut / "checkpoints" / "step-00000006" / "MANIFEST.json")
    train(start_tuppence, words(cut, *more))
    assert digest(cut, STEPS) == digest(whole, STEPS)


@pytest.mark.soak
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_random_kills_of_two_and_four_ranks_change_no_bit(
    start_tuppence: Start, words: Words, tmp_path: Path, parallel: str
) -> None:
    random = Random(parallel)
    for ranks in (2, 4):
        whole, cut = tmp_path / f"whole-{ranks}", tmp_path / f"cut-{ranks}"
        more = (f"train.parallel={parallel}", f"train.batch_size={8 // ranks}", "train.checkpoint_every=1")
        train(start_tuppence, words(whole, *more, steps=30), ranks)
        for _ in range(4):
            wait = random.uniform(2.0, 8.0)
            kill_when_saved(start_tuppence, words(cut, *more, steps=30), cut / "never", ranks, seconds=wait)
        train(start_tuppence, words(cut, *more, steps=30), ranks)
        assert digest(cut, 30) == digest(whole, 30)


@pytest.mark.soak
def test_a_run_continues_on_more_ranks_and_with_the_other_way_to_divide(
    start_tuppence: Start, words: Words, alone: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train(start_tuppence, words(out, *FSDP, steps=4))
    train(start_tuppence, words(out, "train.parallel=fsdp", "train.batch_size=2", steps=8), ranks=4)
    train(start_tuppence, words(out, "train.parallel=ddp", "train.batch_size=4"))
    assert losses(out) == pytest.approx(losses(alone), abs=1e-4)


@pytest.mark.soak
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_nodes_of_two_ranks_under_torchrun_equal_one_rank(
    words: Words, alone: Path, tmp_path: Path, parallel: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = []
    for node in range(2):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", f"--node-rank={node}"]
        launcher += ["--nproc-per-node=2", "--master-addr=127.0.0.1", f"--master-port={port}", "-m", "tuppence"]
        line = words(tmp_path / str(node) / "run", f"train.parallel={parallel}", "train.batch_size=2")
        nodes.append(
            subprocess.Popen(
                [*launcher, *map(str, line)],
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        )
    for node in nodes:
        _, errors = node.communicate(timeout=240)
        assert node.returncode == 0, errors
    assert not (tmp_path / "1").exists()  # only rank 0 writes
    assert_close(tmp_path / "0" / "run", alone)


@pytest.mark.soak
def test_full_finetunes_can_be_divided(
    tuppence: Run, start_tuppence: Start, base: Path, sms: Path, tmp_path: Path
) -> None:
    more = ("--set", "finetune.dropout=0", "--set", "train.eval_every=3")
    one, two = tmp_path / "one", tmp_path / "two"
    done = tuppence(*finetune_line("finetune classify", base, sms, one, *more, steps=6, train__batch_size="8"))
    assert done.returncode == 0, done.stderr
    line = finetune_line(
        "finetune classify", base, sms, two, *more, steps=6, train__batch_size="4", train__parallel="fsdp"
    )
    train(start_tuppence, list(line))
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)
    assert column(two, "val_loss") == pytest.approx(column(one, "val_loss"), abs=1e-4)
    frozen = as_ranks(start_tuppence, [[*line, "--train", "head", "--out", tmp_path / "head"]] * 2)
    assert [done.returncode for done in frozen] == [2, 2]
    assert "some are frozen" in frozen[0].stderr

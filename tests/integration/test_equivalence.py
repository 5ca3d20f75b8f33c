"""However the work is divided, the result is the same: through the real command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.command_lines import column, losses, settings
from tests.integration.conftest import Run, Start
from tests.ranks import as_ranks, on_ranks

from tuppence.core import run as runs

STEPS = 12

Pretrain = Callable[..., Path]


@pytest.fixture(scope="module")
def pretrain(tuppence: Run, start_tuppence: Start, corpus: Path) -> Pretrain:
    def run(out: Path, *more: str, ranks: int = 1, torchrun: bool = False) -> Path:
        words = ["pretrain", "--data", corpus / "data", "--out", out, "--max-steps", STEPS]
        words += settings("train.precision=float32", "train.eval_every=6", *more)
        if torchrun:
            ended = [on_ranks(words, ranks)]
        else:
            ended = [tuppence(*words)] if ranks == 1 else as_ranks(start_tuppence, [words] * ranks)
        for done in ended:
            assert done.returncode == 0, done.stderr
        return out

    return run


@pytest.fixture(scope="module")
def reference(pretrain: Pretrain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(tmp_path_factory.mktemp("reference") / "run")


def bounded(ours: list[float], theirs: list[float]) -> None:
    """The largest and the mean difference: rounding, and no more."""
    apart = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    assert max(apart) < 1e-4
    assert sum(apart) / len(apart) < 2e-5


def test_eight_accumulation_steps_of_one_equal_one_of_eight(
    pretrain: Pretrain, reference: Path, tmp_path: Path
) -> None:
    run = pretrain(tmp_path / "run", "train.batch_size=1", "train.accumulation_steps=8")
    bounded(losses(run), losses(reference))
    bounded(column(run, "val_loss"), column(reference, "val_loss"))


def test_two_ranks_equal_one(pretrain: Pretrain, reference: Path, tmp_path: Path) -> None:
    run = pretrain(tmp_path / "run", "train.batch_size=4", ranks=2, torchrun=True)
    bounded(losses(run), losses(reference))
    bounded(column(run, "val_loss"), column(reference, "val_loss"))


def test_nodes_without_a_shared_disk_continue_from_the_checkpoint_of_rank_0(
    pretrain: Pretrain, start_tuppence: Start, corpus: Path, tmp_path: Path
) -> None:
    once = pretrain(tmp_path / "one", "train.schedule=constant")

    def words(folder: Path, steps: int, data: Path) -> list[object]:
        more = ("train.precision=float32", "train.eval_every=6", "train.schedule=constant", "train.batch_size=4")
        return ["pretrain", "--data", data, "--out", folder / "run", "--max-steps", steps, *settings(*more)]

    shutil.copytree(corpus / "data", tmp_path / "b" / "data")
    places = ((tmp_path / "a", corpus / "data"), (tmp_path / "b", tmp_path / "b" / "data"))
    for steps in (6, STEPS):
        for node in as_ranks(
            start_tuppence, [words(folder, steps, data) for folder, data in places], one_machine=False
        ):
            assert node.returncode == 0, node.stderr
    assert not (tmp_path / "b" / "run").exists()
    bounded(losses(tmp_path / "a" / "run"), losses(once))
    bounded(column(tmp_path / "a" / "run", "val_loss"), column(once, "val_loss"))


def test_nodes_with_other_data_are_refused(tuppence: Run, start_tuppence: Start, corpus: Path, tmp_path: Path) -> None:
    other = tmp_path / "data"
    done = tuppence(
        *("data", "prepare", corpus / "stories.txt", "--tokenizer", corpus / "tok", "--val-fraction", 0.3),
        *("--out", other),
    )
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    words = [
        ["pretrain", "--data", data, "--out", run, "--max-steps", 2, *settings()] for data in (corpus / "data", other)
    ]
    first, second = as_ranks(start_tuppence, words, one_machine=False)
    assert (first.returncode, second.returncode) == (2, 2)
    assert "error: the ranks read different data or recipes" in first.stderr
    assert "error" not in second.stderr
    assert not run.exists()


def test_ranks_share_a_budget_and_end_together_when_it_is_spent(
    start_tuppence: Start, corpus: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"

    def told(budget: int) -> str:
        words = ["pretrain", "--data", corpus / "data", "--out", run, "--max-steps", 4, "--rate", 3600.0]
        nodes = as_ranks(start_tuppence, [[*words, "--budget", budget, *settings()]] * 2, seconds=100)
        assert [node.returncode for node in nodes] == [0, 0], nodes[0].stderr + nodes[1].stderr
        return nodes[0].stderr

    assert "reached its limit of 4 steps" in told(900)
    before = (run / "model" / "model.safetensors").read_bytes()
    assert "too little is left to start" in told(1)
    runs.Run(run).update(status="running", result=None)  # as after a kill in the first attempt
    assert "too little is left to start" in told(1)
    assert (run / "model" / "model.safetensors").read_bytes() == before


def test_run_is_not_continued_on_another_number_of_ranks(
    tuppence: Run, corpus: Path, reference: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(reference, run)
    record = run / "run.yaml"
    record.write_text(record.read_text().replace("ranks: 1", "ranks: 2"))
    words = ["pretrain", "--data", corpus / "data", "--out", run, "--max-steps", STEPS + 1]
    done = tuppence(*words, *settings("train.precision=float32", "train.eval_every=6"))
    assert done.returncode == 2
    assert "was started on 2 ranks" in done.stderr


def test_a_run_that_lost_its_model_writes_it_again(
    tuppence: Run, corpus: Path, reference: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(reference, run)
    before = (run / "model" / "model.safetensors").read_bytes()
    shutil.rmtree(run / "model")
    words = ["pretrain", "--data", corpus / "data", "--out", run, "--max-steps", STEPS]
    done = tuppence(*words, *settings("train.precision=float32", "train.eval_every=6"))
    assert done.returncode == 0, done.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_two_ranks_that_accumulate_equal_one(pretrain: Pretrain, reference: Path, tmp_path: Path) -> None:
    run = pretrain(tmp_path / "run", "train.batch_size=1", "train.accumulation_steps=4", ranks=2)
    bounded(losses(run), losses(reference))


@pytest.mark.slow
def test_a_compiled_run_comes_close_to_an_eager_one(pretrain: Pretrain, tmp_path: Path) -> None:
    one_block = "model.n_layers=1"  # a block more is seconds more to compile
    compiled = pretrain(tmp_path / "compiled", "train.compile=true", one_block)
    assert losses(compiled) == pytest.approx(losses(pretrain(tmp_path / "eager", one_block)), abs=2e-3)


def test_recomputing_activations_changes_nothing(pretrain: Pretrain, reference: Path, tmp_path: Path) -> None:
    run = pretrain(tmp_path / "run", "train.activation_checkpointing=true")
    bounded(losses(run), losses(reference))


def test_a_budget_is_never_passed(tuppence: Run, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("pretrain", "--data", corpus / "data", "--out", out, "--budget", 0.02, "--rate", 4.0, "--json")
    for _ in range(2):  # 18 seconds' worth, over both attempts
        done = tuppence(*words, *settings())
        assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "budget" in result["ended_because"]
    assert 0 < result["result"]["dollars"] <= 0.02
    assert (out / "model" / "model.safetensors").exists()

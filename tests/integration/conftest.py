"""A small corpus and a small model, made once through the command line for all integration tests."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.fork_server import ForkedCommand
from tests.integration.command_lines import digest, settings
from tests.kills import TWO_THREADS, kill_until_done, logged_rows

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., ForkedCommand]
Check = Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="session")
def corpus(tuppence: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stories.txt, tok/ and data/."""
    place = tmp_path_factory.mktemp("corpus")
    stories = place / "stories.txt"
    for line in (
        ["data", "synth", "stories", "--out", stories, "--count", 200, "--seed", 7],
        ["tokenizer", "train", stories, "--vocab-size", 512, "--out", place / "tok"],
        ["data", "prepare", stories, "--tokenizer", place / "tok", "--val-fraction", 0.1, "--out", place / "data"],
    ):
        done = tuppence(*line)
        assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="session")
def base(corpus: Path, tuppence: Run) -> Path:
    """A small model pretrained on the corpus: what finetuning starts from. Context 64, float32."""
    out = corpus / "base"
    more = ("model.context_length=64", "train.precision=float32")
    done = tuppence("pretrain", "--data", corpus / "data", "--out", out, "--max-steps", 30, *settings(*more))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def assert_kills_change_no_bit(tuppence: Run, start_tuppence: Start, tmp_path: Path) -> Check:
    """Trains twice, once killed by SIGKILL and SIGTERM at random moments; both runs must have the same bits."""

    def check(line_to: Callable[[Path], list[str]], *, steps: int, kills: int, more: str) -> tuple[Path, Path]:
        whole, cut = tmp_path / "whole", tmp_path / "cut"
        done = tuppence(*line_to(whole), env=TWO_THREADS)
        assert done.returncode == 0, done.stderr
        kill_until_done(
            partial(start_tuppence, *line_to(cut), env=TWO_THREADS),
            *(cut, 1, kills),
            progress=logged_rows,
            signals=(signal.SIGKILL, signal.SIGTERM),
            patience=(1, 6),
        )
        assert digest(cut, steps, more) == digest(whole, steps, more)
        return whole, cut

    return check

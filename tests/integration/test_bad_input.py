"""What cannot work is told in two lines, before anything is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.command_lines import settings
from tests.integration.conftest import Run

from tuppence.cli import main

Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command line that must be refused in two lines; returns them."""

    def run(*words: object) -> str:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        errors = capsys.readouterr().err
        assert left.value.code == 2, errors
        *before, first, second = errors.strip().splitlines()
        assert not any("error" in line or "Traceback" in line for line in before)
        assert first.startswith("error: ")
        assert second.startswith("  hint: ")
        return errors

    return run


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--budget", "1"], ["--rate"]),
        (["--max-minutes", "-1"], ["minutes"]),
        (["--set", "train.learning_rat=1"], ["train.learning_rate"]),
        (["--set", "model.preset=huge"], ["gpt2-124m"]),
        (["--set", "model.n_heads=7"], ["n_heads"]),
        (["--set", "model.vocab_size=10"], ["512"]),
        (["--set", "model.context_length=1000000"], ["context"]),
        (["--set", "train.precision=fp16"], ["fp16"]),
        (["--set", "train.device=cuda:9"], ["cuda"]),
        (["--config", "nowhere.yaml"], ["nowhere.yaml"]),
        (["--resume", "nowhere"], ["nowhere"]),
        (["--track", "abacus"], ["tensorboard"]),
        (["--max-steps", "0"], ["max-steps"]),
    ],
)
def test_wrong_setting_is_refused_before_the_run_folder_is_made(
    refused: Refused, corpus: Path, tmp_path: Path, more: list[str], words: list[str]
) -> None:
    lines = refused("pretrain", "--data", corpus / "data", "--out", tmp_path / "run", *settings(), *more)
    assert all(word in lines for word in words)
    assert not (tmp_path / "run").exists()


def test_missing_or_foreign_data_folder_is_refused(refused: Refused, tmp_path: Path) -> None:
    assert "none" in refused("pretrain", "--data", tmp_path / "none", "--out", tmp_path / "run")
    assert "index.json" in refused("pretrain", "--data", tmp_path, "--out", tmp_path / "run")


def test_output_folder_with_other_files_is_refused(refused: Refused, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert "not empty" in refused("pretrain", "--data", corpus / "data", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_checkpoint_of_another_model_is_refused(tuppence: Run, refused: Refused, corpus: Path, tmp_path: Path) -> None:
    words = ("pretrain", "--data", corpus / "data", "--max-steps", 1)
    assert tuppence(*words, "--out", tmp_path / "a", *settings()).returncode == 0
    checkpoint = tmp_path / "a" / "checkpoints" / "step-00000001"
    other = settings("model.d_model=64")
    assert "shape" in refused(*words, "--out", tmp_path / "b", "--resume", checkpoint, *other)

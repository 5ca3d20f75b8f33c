"""A checkpoint is complete or absent, and a damaged one is never loaded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.temporary import remove_litter
from tuppence.training.checkpoint import (
    FILES,
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    newest_good_checkpoint,
    prune_checkpoints,
    save_checkpoint,
    set_aside_after,
    verify_checkpoint,
)


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint({"w": torch.full((100,), float(step))}, {"w.exp_avg": torch.zeros(100)}, {"step": step})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(7))
    assert path.name == "step-00000007"
    loaded = load_checkpoint(path)
    assert torch.equal(loaded.model["w"], torch.full((100,), 7.0))
    assert loaded.state == {"step": 7}
    assert {file.name for file in path.iterdir()} == {*FILES, "MANIFEST.json"}


@pytest.mark.parametrize("name", [*FILES, "MANIFEST.json"])
@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "remove"])
def test_a_damaged_file_makes_the_newest_good_one_be_used_and_is_reported(
    tmp_path: Path, name: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    bad = save_checkpoint(tmp_path, checkpoint(2)) / name
    content = bytearray(bad.read_bytes())
    if harm == "flip":
        content[len(content) // 2] ^= 1
        bad.write_bytes(content)
    elif harm == "truncate":
        bad.write_bytes(content[:-3])
    elif harm == "empty":
        bad.write_bytes(b"")
    else:
        bad.unlink()
    found = newest_good_checkpoint(tmp_path)
    assert found is not None
    assert found[1].state["step"] == 1
    assert "step-00000002" in capsys.readouterr().err


def test_a_manifest_that_agrees_with_a_hostile_file_does_not_make_it_load(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(1))
    evil = b"\xff" * 64
    (path / "model.safetensors").write_bytes(evil)
    import hashlib

    manifest = json.loads((path / "MANIFEST.json").read_text())
    manifest["model.safetensors"] = {"bytes": len(evil), "sha256": hashlib.sha256(evil).hexdigest()}
    (path / "MANIFEST.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptFileError):
        load_checkpoint(path)


def test_a_checkpoint_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(tmp_path / "step-00000001")
    assert newest_good_checkpoint(tmp_path / "nowhere") is None


def test_a_run_given_as_a_checkpoint_has_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="is a run, not a checkpoint"):
        verify_checkpoint(tmp_path)


def test_a_model_or_another_folder_given_as_a_checkpoint_is_not_to_be_removed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a checkpoint") as other:
        verify_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is a model, not a checkpoint") as model:
        verify_checkpoint(tmp_path)
    assert "remove" not in (other.value.hint or "") + (model.value.hint or "")


def test_pruning_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 5):
        save_checkpoint(tmp_path, checkpoint(step))
    prune_checkpoints(tmp_path, keep=2, best_step=2)
    assert [path.name[-1] for path in list_checkpoints(tmp_path)] == ["2", "4", "5"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    save_checkpoint(tmp_path, Checkpoint({"w": torch.ones(3)}, {}, {"step": 1}))
    assert load_checkpoint(tmp_path / "step-00000001").model["w"].shape == (3,)
    assert len(list(tmp_path.iterdir())) == 1


def test_checkpoints_of_later_steps_are_renamed(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, checkpoint(step))
    set_aside_after(tmp_path, 1)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000001"]
    assert (tmp_path / "set-aside-step-00000003").is_dir()


WRITER = """
import sys, torch
from pathlib import Path
from tuppence.training.checkpoint import Checkpoint, save_checkpoint
folder = Path(sys.argv[1])
big = {"w": torch.randn(2_000_000)}
for step in range(1, 10_000):
    save_checkpoint(folder, Checkpoint(big, big, {"step": step}))
    print(step, flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.013, 0.031, 0.057])
def test_a_killed_writer_leaves_only_complete_checkpoints(tmp_path: Path, delay: float) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.readline()
    last = int(writer.stdout.readline())
    time.sleep(delay)
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    found = newest_good_checkpoint(tmp_path)
    assert found is not None
    assert found[1].state["step"] >= last
    for path in list_checkpoints(tmp_path):
        load_checkpoint(path)
    remove_litter(tmp_path, locked=True)
    assert not list(tmp_path.glob(".*"))


def test_a_warning_says_that_no_checkpoint_is_undamaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (3, 4):
        path = save_checkpoint(tmp_path, checkpoint(step))
        (path / "state.json").write_text("{")
    assert newest_good_checkpoint(tmp_path) is None
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("the one before it is used") == 1
    assert "is undamaged: training starts from the beginning" in said

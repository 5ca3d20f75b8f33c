"""Checkpoints that are complete or absent.

    checkpoints/step-00000400/
      model.safetensors      the trained weights in float32; of a LoRA run only the adapter
      optimizer.safetensors  moments and momenta, by parameter name
      objective.safetensors  the state of the objective (PPO's rollouts, DPO's reference); mostly empty
      state.json             step, tokens, times, best loss, loss scale, sizes of the logs
      MANIFEST.json          size and sha256 of each file above; written last

A checkpoint is written to a hidden sibling, flushed, and renamed. Loading verifies every sha256; damaged checkpoints
are reported, and the newest good one is loaded. Old checkpoints are removed only after the new one is verified; the
last and the best are never removed. The files are safetensors and JSON, which cannot run code.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tuppence.core.console import warn
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import read_json, sha256_file, write_json
from tuppence.core.folders import atomic_folder
from tuppence.core.run import Run
from tuppence.model.tensor_files import save_tensors
from tuppence.model.tensor_stream import StreamedTensor, stream_tensors

FILES = ("model.safetensors", "optimizer.safetensors", "objective.safetensors", "state.json")
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint.

    Attributes:
        model: trained weights by name.
        optimizer: optimizer state by name.
        state: plain JSON; it always has `step`.
        objective: the objective's own state by name.
    """

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]
    objective: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class StreamedCheckpoint:
    """A checkpoint whose weights and optimizer state are produced while it is written; otherwise as `Checkpoint`."""

    model: Mapping[str, StreamedTensor]
    optimizer: Mapping[str, StreamedTensor]
    state: dict[str, Any]
    objective: dict[str, Tensor] = field(default_factory=dict)


def checkpoint_path(folder: Path, step: int) -> Path:
    """Returns the folder of the checkpoint of a step."""
    return folder / f"step-{step:08d}"


def save_checkpoint(folder: Path, checkpoint: Checkpoint | StreamedCheckpoint) -> Path:
    """Writes, flushes and verifies a checkpoint below `folder`; returns its path.

    Raises:
        OutOfSpaceError: the disk is full; earlier checkpoints are intact, and no incomplete one is left.
    """
    final = checkpoint_path(folder, checkpoint.state["step"])
    with atomic_folder(final) as temporary:
        if isinstance(checkpoint, StreamedCheckpoint):
            stream_tensors(checkpoint.model, temporary / "model.safetensors")
            stream_tensors(checkpoint.optimizer, temporary / "optimizer.safetensors")
        else:
            save_tensors(checkpoint.model, temporary / "model.safetensors")
            save_tensors(checkpoint.optimizer, temporary / "optimizer.safetensors")
        save_tensors(checkpoint.objective, temporary / "objective.safetensors")
        write_json(temporary / "state.json", checkpoint.state)
        manifest = {
            name: {"bytes": (temporary / name).stat().st_size, "sha256": sha256_file(temporary / name)}
            for name in FILES
        }
        write_json(temporary / "MANIFEST.json", manifest)
    verify_checkpoint(final)
    return final


def verify_checkpoint(path: Path) -> None:
    """Compares every file with the manifest.

    Raises:
        InputError: the folder does not exist, or is no checkpoint.
        CorruptFileError: a file is missing or damaged.
    """
    if not path.is_dir():
        raise InputError(f"there is no checkpoint at {path}", "give a folder such as RUN/checkpoints/step-00000400")
    of_run = Run(path).checkpoints
    if of_run.is_dir():
        raise InputError(f"{path} is a run, not a checkpoint", f"name a folder of {of_run}")
    if not any((path / name).exists() for name in (*FILES, "MANIFEST.json")):
        kind = "a model, not a checkpoint" if (path / "config.json").exists() else "not a checkpoint"
        raise InputError(f"{path} is {kind}", "give a folder such as RUN/checkpoints/step-00000400")
    again = "remove this checkpoint, or restore it"
    manifest = read_json(path / "MANIFEST.json", limit=2**20) if (path / "MANIFEST.json").exists() else None
    if not isinstance(manifest, dict) or set(manifest) != set(FILES):
        raise CorruptFileError(f"checkpoint {path} has no complete MANIFEST.json", again)
    for name, expected in manifest.items():
        file = path / name
        if not file.is_file():
            raise CorruptFileError(f"checkpoint {path} has no {name}", again)
        if not isinstance(expected, dict) or file.stat().st_size != expected.get("bytes"):
            raise CorruptFileError(f"checkpoint file {file} is incomplete: it has {file.stat().st_size:,} bytes", again)
        if sha256_file(file) != expected.get("sha256"):
            raise CorruptFileError(f"checkpoint file {file} is damaged: its sha256 is not the manifest's", again)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint after verifying it.

    Raises:
        InputError: the folder does not exist, or is no checkpoint.
        CorruptFileError: a file is missing or damaged.
    """
    verify_checkpoint(path)
    try:
        state = read_json(path / "state.json")
        if not isinstance(state, dict) or not isinstance(state.get("step"), int):
            raise CorruptFileError(f"{path / 'state.json'} has no step", "restore the checkpoint")
        model, optimizer, objective = (load_file(path / name) for name in FILES[:3])
        return Checkpoint(model, optimizer, state, objective)
    except SafetensorError as error:
        raise CorruptFileError(f"checkpoint {path} cannot be read: {error}", "restore the checkpoint") from error


def newest_good_checkpoint(folder: Path) -> tuple[Path, Checkpoint] | None:
    """Returns the newest undamaged checkpoint; None if there is none. Prints a warning for each damaged one."""
    paths = list_checkpoints(folder)
    for path in reversed(paths):
        try:
            return path, load_checkpoint(path)
        except CorruptFileError as error:
            warn(f"{error.message}" + ("; the one before it is used" if path != paths[0] else ""))
    if paths:
        warn(f"no checkpoint in {folder} is undamaged: training starts from the beginning")
    return None


def list_checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoint folders, oldest first."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def prune_checkpoints(folder: Path, *, keep: int, best_step: int | None) -> None:
    """Removes all but the newest `keep` and the best. Call it only after the newest one was verified."""
    paths = list_checkpoints(folder)
    for path in paths[: max(0, len(paths) - keep)]:
        if best_step is None or path != checkpoint_path(folder, best_step):
            shutil.rmtree(path, ignore_errors=True)


def set_aside_after(folder: Path, step: int) -> None:
    """Renames the checkpoints of later steps, which are damaged or not wanted, so that none is loaded by mistake."""
    for path in list_checkpoints(folder):
        if path.name > checkpoint_path(folder, step).name:
            aside = path.with_name(f"set-aside-{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.replace(aside)

"""A disk that fills up while a checkpoint, RUN/model or an adapter is written: one clear error, nothing else lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")

WRITE_TWICE = """
import resource, signal, sys
from pathlib import Path
import torch
from tuppence.core.errors import OutOfSpaceError
from tuppence.model.adapters import save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.lora import LoRA, add_lora
from tuppence.model.saving import save_model
from tuppence.training.checkpoint import Checkpoint, save_checkpoint

def write(size):
    model = GPT(ModelConfig(n_layers=1, n_heads=2, d_model=size, context_length=8, vocab_size=64))
    if kind == "checkpoint":
        save_checkpoint(folder, Checkpoint(dict(model.named_parameters()), {}, {"step": size}))
    elif kind == "model":
        save_model(model, folder / "model")
    else:
        lora = LoRA(size, 1.0)
        add_lora(model, lora)
        save_adapter(model, folder / "adapter", lora, base=folder, base_sha256="")

kind, folder, limited = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "limited"
write(8)
if limited:  # no file can grow beyond it: EFBIG
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write(256)
except OutOfSpaceError as error:
    print(error.message)
    sys.exit(error.exit_code)
"""


def write_twice(kind: str, folder: Path, *, limited: bool) -> subprocess.CompletedProcess[str]:
    """A small checkpoint, which is written, and a large one, for which there is no space."""
    where = "limited" if limited else "unlimited"
    return subprocess.run([sys.executable, "-c", WRITE_TWICE, kind, folder, where], capture_output=True, text=True)


def contents(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB; the test is skipped if we cannot mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", folder], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode != 0:
        pytest.skip("we may not mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("kind", ["checkpoint", "model", "adapter"])
def test_a_file_size_limit_is_one_line_and_the_old_folder_stays(kind: str, tmp_path: Path) -> None:
    check(write_twice(kind, tmp_path, limited=True), tmp_path)


@pytest.mark.parametrize("kind", ["checkpoint", "model", "adapter"])
def test_a_full_disk_is_one_line_and_the_old_folder_stays(kind: str, small_disk: Path) -> None:
    check(write_twice(kind, small_disk, limited=False), small_disk)


def check(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith(f"no space left on the disk while writing {folder}/")
    assert done.stdout.count("\n") == 1
    assert len(list(folder.iterdir())) == 1  # neither a second folder nor a temporary one
    kept = contents(folder)
    assert kept
    assert max(kept.values()) < 20_000  # those of the small one

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tuppence.aws import code
from tuppence.aws.code import code_tree, find_wheels, pins
from tuppence.core.errors import InputError

TAGS = {
    "safetensors": "cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "tiktoken": "cp312-cp312-manylinux_2_28_x86_64",
}
TAGS |= {"regex": "cp312-cp312-manylinux2014_x86_64"}


def wheel(folder: Path, name: str, tags: str, version: str | None = None) -> Path:
    path = folder / f"{name}-{version or pins()[name]}-{tags}.whl"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{name}/__init__.py", "where = 'wheel'\n")
    return path


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, tags in TAGS.items():
        wheel(folder, name, tags)
    return folder


def test_wheels_of_the_images_python_are_found(wheels: Path) -> None:
    assert [path.name.partition("-")[0] for path in find_wheels(given=wheels)] == ["safetensors", "tiktoken", "regex"]


@pytest.mark.parametrize(
    "tags", ["cp311-cp311-manylinux_2_28_x86_64", "cp312-cp312-macosx_11_0_arm64", "cp312-cp312-manylinux_2_28_aarch64"]
)
def test_wheels_of_other_machines_do_not_count(wheels: Path, tags: str) -> None:
    next(wheels.glob("tiktoken*")).unlink()
    wheel(wheels, "tiktoken", tags)
    with pytest.raises(InputError, match="no wheel of tiktoken"):
        find_wheels(given=wheels)


def test_offline_the_message_says_how_to_get_the_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(code.subprocess, "run", lambda *given, **more: failed)
    with pytest.raises(InputError, match="No matching distribution") as refused:
        find_wheels()
    assert "pip download -d WHEELS --only-binary=:all:" in refused.value.hint
    assert f"tiktoken=={pins()['tiktoken']}" in refused.value.hint


def test_the_same_code_gives_the_same_bytes(tmp_path: Path, wheels: Path) -> None:
    digests = []
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        tree, digest = code_tree(tmp_path / name, find_wheels(given=wheels))
        assert sorted(tree.files) == ["code.zip", "start_job.py"]
        digests.append(digest)
    assert digests[0] == digests[1]


def test_the_starter_runs_the_entry_point_from_the_archive(tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "code").mkdir()
    _, digest = code_tree(tmp_path / "code", [])
    base = tmp_path / "ml"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(tmp_path / "code"), "SAGEMAKER_BASE_DIR": str(base), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "start_job"]
    ended = subprocess.run(
        [*command, digest], env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert ended.returncode == 2
    assert "order.json" in (base / "output" / "failure").read_text()
    assert list(tmp_path.glob("tuppence-code-*/tuppence/cost/prices.json"))
    damaged = subprocess.run(
        [*command, "0" * 64], env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert damaged.returncode == 1
    assert "is damaged" in damaged.stderr
    assert hashlib.sha256((tmp_path / "code" / "code.zip").read_bytes()).hexdigest() == digest

"""Complete or absent: under an error, a full disk, and a real SIGKILL."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence.core import files
from tuppence.core.errors import CorruptFileError, InputError, OutOfSpaceError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_absent_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.bin"
    with files.atomic_file(target) as out:
        out.write(b"half")
        out.flush()
        assert not target.exists()
        out.write(b" whole")
    assert target.read_bytes() == b"half whole"
    assert names(target.parent) == {"file.bin"}


@pytest.mark.parametrize("error", [RuntimeError("ours"), KeyboardInterrupt()])
def test_an_error_inside_the_block_leaves_the_old_file_and_no_litter(error: BaseException, tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write() -> None:
        with files.atomic_file(target) as out:
            out.write(b"new, and torn")
            raise error

    with pytest.raises(type(error)):
        write()
    assert target.read_text() == "old"
    assert names(tmp_path) == {"file.txt"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("moment", ["fsync", "write"])
def test_a_full_disk_is_an_error_with_the_old_file_intact(
    number: int, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    def write() -> None:
        with files.atomic_file(target) as out:
            out.write(b"new")
            if moment == "write":
                full()

    if moment == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutOfSpaceError, match=r"file\.txt") as refusal:
        write()
    assert "free some space" in refusal.value.hint
    assert target.read_text() == "old"
    assert names(tmp_path) == {"file.txt"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's always-full device")
def test_a_device_that_is_really_full_is_reported_as_such() -> None:
    with (
        pytest.raises(OutOfSpaceError),
        files.explain_disk_errors(Path("x")),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="cannot write"):
        files.write_text(tmp_path / "file" / "inside", "x")
    (tmp_path / "folder" / "x").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot write"):
        files.write_text(tmp_path / "folder", "x")
    with pytest.raises(InputError, match="cannot write"):
        files.write_text(tmp_path / ("long" * 100), "x")


WRITER = """
import itertools, sys
from pathlib import Path
from tuppence.core import files
for round in itertools.count():
    files.write_bytes(Path(sys.argv[1]), bytes([round % 256]) * 4_000_000)
    print(round, flush=True)
"""


def test_killed_at_any_moment_a_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    for delay in (0.0, 0.003, 0.007, 0.011, 0.02):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()  # the first file stands; from here on every moment is one of a rewrite
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        content = target.read_bytes()
        assert len(content) == 4_000_000
        assert len(set(content)) == 1


def test_json_comes_back_as_it_went(tmp_path: Path) -> None:
    value = {"loss": 5.07, "text": "naïve 😀", "list": [1, None, True]}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert "naïve 😀" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    "content", [b"", b'{"a": ', b"\xff\xfe", b"[" * 100_000], ids=["empty", "torn", "binary", "deep"]
)
def test_a_file_that_is_not_json_is_corrupt(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"a\.json is not valid JSON"):
        files.read_json(tmp_path / "a.json")


def test_a_missing_or_enormous_json_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        files.read_json(tmp_path / "absent.json")
    (tmp_path / "big.json").write_text('"' + "x" * 100 + '"')
    with pytest.raises(InputError, match="102 bytes, more than the 50"):
        files.read_json(tmp_path / "big.json", limit=50)


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1])
def test_the_checksum_is_sha256_whatever_the_size(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    (tmp_path / "f").write_bytes(content)
    assert files.sha256_file(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def folder_of(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "a.txt").write_text(content)
    return path


def test_a_finished_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    old = folder_of(tmp_path / "model", "old")
    (old / "only-in-old.txt").write_text("x")
    files.commit_folder(folder_of(tmp_path / ".model.tmp", "new"), tmp_path / "model")
    assert names(tmp_path) == {"model"}
    assert names(tmp_path / "model") == {"a.txt"}
    assert (tmp_path / "model" / "a.txt").read_text() == "new"


def test_a_full_disk_while_committing_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "model", "old")
    temporary = folder_of(tmp_path / ".model.tmp", "new")

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "fsync_file", full)
    with pytest.raises(OutOfSpaceError):
        files.commit_folder(temporary, tmp_path / "model")
    assert (tmp_path / "model" / "a.txt").read_text() == "old"


def test_a_kill_between_the_two_renames_loses_neither_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "model", "old")
    temporary = folder_of(tmp_path / ".model.tmp", "new")
    rename: Callable[[Path, Path], Path] = Path.replace

    def die_at_the_second(source: Path, target: Path) -> Path:
        if source == temporary:
            raise KeyboardInterrupt
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        files.commit_folder(temporary, tmp_path / "model")
    found = {(folder / "a.txt").read_text() for folder in tmp_path.iterdir()}
    assert found == {"old", "new"}


def test_a_finished_folder_s_files_have_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "weights").touch(mode=0o600)
        files.commit_folder(tmp_path / "new", tmp_path / "final")
    finally:
        os.umask(before)
    assert (tmp_path / "final" / "weights").stat().st_mode & 0o777 == 0o640

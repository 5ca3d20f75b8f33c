"""Folders are complete or absent, on disks that exchange two names in one step and on those that cannot."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tuppence.core import files, folders
from tuppence.core.errors import OutOfSpaceError
from tuppence.core.folders import atomic_folder, standing
from tuppence.core.temporary import remove_litter


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def folder_of(path: Path, content: str) -> Path:
    path.mkdir(parents=True)
    (path / "a.txt").write_text(content)
    return path


def write(final: Path, content: str) -> None:
    with atomic_folder(final) as folder:
        (folder / "a.txt").write_text(content)


@pytest.fixture(params=["exchange", "two renames"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "two renames":
        monkeypatch.setattr(folders, "_exchange", lambda *_: False)


@pytest.mark.usefixtures("_both_ways")
def test_a_finished_folder_replaces_the_old_one(tmp_path: Path) -> None:
    (folder_of(tmp_path / "model", "old") / "only-in-old.txt").write_text("x")
    write(tmp_path / "model", "new")
    assert names(tmp_path) == {"model"}
    assert names(tmp_path / "model") == {"a.txt"}
    assert (tmp_path / "model" / "a.txt").read_text() == "new"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges names so far")
def test_linux_exchanges_two_folders_in_one_step(tmp_path: Path) -> None:
    one, other = folder_of(tmp_path / "one", "1"), folder_of(tmp_path / "other", "2")
    if not folders._exchange(one, other):
        pytest.skip("this disk cannot")
    assert ((one / "a.txt").read_text(), (other / "a.txt").read_text()) == ("2", "1")


@pytest.mark.usefixtures("_both_ways")
def test_a_link_is_replaced_and_its_target_unchanged(tmp_path: Path) -> None:
    folder_of(tmp_path / "elsewhere", "precious")
    (tmp_path / "model").symlink_to("elsewhere")
    write(tmp_path / "model", "new")
    assert (tmp_path / "elsewhere" / "a.txt").read_text() == "precious"
    assert (tmp_path / "model" / "a.txt").read_text() == "new"
    assert names(tmp_path) == {"model", "elsewhere"}


def test_a_full_disk_leaves_the_old_folder_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "model", "old")

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "fsync_file", full)
    with pytest.raises(OutOfSpaceError):
        write(tmp_path / "model", "new")
    assert (tmp_path / "model" / "a.txt").read_text() == "old"
    assert names(tmp_path) == {"model"}


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "model", "old")
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    rename = Path.replace

    def fail(source: Path, target: Path) -> Path:
        if source.suffix == ".tmp":
            raise OSError(errno.EIO, "Input/output error")
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(Exception, match="Input/output error"):
        write(tmp_path / "model", "new")
    assert (tmp_path / "model" / "a.txt").read_text() == "old"


KILLED_BETWEEN_THE_RENAMES = """
import os, signal, sys
from pathlib import Path
from tuppence.core import folders
folders._exchange = lambda *_: False
rename = Path.replace
def die_at_the_second(source, target):
    if source.suffix == ".tmp" and target.name == "model":
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(source, target)
Path.replace = die_at_the_second
with folders.atomic_folder(Path(sys.argv[1]) / "model") as folder:
    (folder / "a.txt").write_text("new")
"""


@pytest.mark.parametrize("locked", [True, False])
def test_killed_between_two_renames_the_old_folder_is_found_and_put_back(tmp_path: Path, locked: bool) -> None:
    folder_of(tmp_path / "model", "old")
    killed = subprocess.run([sys.executable, "-c", KILLED_BETWEEN_THE_RENAMES, str(tmp_path)])
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    assert (standing(tmp_path / "model") / "a.txt").read_text() == "old"
    remove_litter(tmp_path, locked=locked)
    assert names(tmp_path) == {"model"}
    assert (standing(tmp_path / "model") / "a.txt").read_text() == "old"


def test_standing_returns_the_given_path_if_nothing_exists(tmp_path: Path) -> None:
    assert standing(tmp_path / "model") == tmp_path / "model"
    assert standing(tmp_path / "none" / "model") == tmp_path / "none" / "model"


def test_a_finished_folder_s_files_have_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_folder(tmp_path / "final") as folder:
            (folder / "weights").touch(mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "final" / "weights").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_folders_are_written_on_a_disk_without_permissions(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(Path, "chmod", refuse)
    write(tmp_path / "model", "new")
    assert names(tmp_path) == {"model"}

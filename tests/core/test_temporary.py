"""Files of killed writers are removed at the next attempt; those of running ones are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuppence.core.files import write_text
from tuppence.core.temporary import remove_litter, temporary_sibling


@pytest.fixture
def dead() -> int:
    """Returns the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_of_dead_processes_are_removed_and_those_of_running_ones_kept(tmp_path: Path, dead: int) -> None:
    (tmp_path / f".model.{dead}.tmp").mkdir()
    (tmp_path / f".model.{dead}.tmp" / "weights").write_text("half")
    (tmp_path / f".report.html.{dead}.tmp").write_text("half")
    (tmp_path / f".link.{dead}.tmp").symlink_to(tmp_path / "letter.txt")
    (tmp_path / "letter.txt").write_text("precious")
    living = {f".run.yaml.{os.getppid()}.tmp", f".root.{1}.tmp"}
    others = {".model.tmp", ".bashrc", f"model.{dead}.tmp", "letter.txt"}
    for name in living | others:
        (tmp_path / name).touch()
    remove_litter(tmp_path)
    assert names(tmp_path) == living | others
    assert (tmp_path / "letter.txt").exists()
    remove_litter(tmp_path, locked=True)
    assert names(tmp_path) == others


def test_writing_a_file_again_removes_its_own_litter_only(tmp_path: Path, dead: int) -> None:
    for name in (f".a.txt.{dead}.tmp", f".b.txt.{dead}.tmp", f".a.txt.{os.getpid()}.tmp"):
        (tmp_path / name).touch()
    write_text(tmp_path / "a.txt", "whole")
    assert names(tmp_path) == {"a.txt", f".b.txt.{dead}.tmp"}


def test_files_that_this_process_is_writing_are_kept(tmp_path: Path) -> None:
    with temporary_sibling(tmp_path / "model") as temporary:
        temporary.mkdir()
        remove_litter(tmp_path, locked=True)
        assert temporary.is_dir()
    assert names(tmp_path) == set()


def test_the_newest_of_several_renamed_folders_is_restored(tmp_path: Path, dead: int) -> None:
    for age, pid in ((100, dead), (0, 2**22 + 7), (50, 2**22 + 9)):  # the kernel's largest number is 2^22
        folder = tmp_path / f".model.{pid}.old"
        folder.mkdir()
        (folder / "age").write_text(str(age))
        os.utime(folder, (10**9 - age, 10**9 - age))
    remove_litter(tmp_path)
    assert names(tmp_path) == {"model"}
    assert (tmp_path / "model" / "age").read_text() == "0"


def test_a_folder_that_cannot_be_listed_is_no_error(tmp_path: Path) -> None:
    remove_litter(tmp_path / "absent")

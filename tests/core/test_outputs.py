"""An output that cannot be written is refused before the work, and the check leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.permissions import permissions_count

from tuppence.core.errors import InputError
from tuppence.core.outputs import refuse_unwritable


@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize("name", ["new", "new/deep/inside", "there"])
def test_a_place_that_can_be_written_is_accepted_and_unchanged(tmp_path: Path, name: str, file: bool) -> None:
    there = tmp_path / "there"
    there.write_text("old") if file else there.mkdir()
    refuse_unwritable(tmp_path / name, file=file)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.parametrize("file", [True, False])
def test_a_place_inside_a_file_is_refused(tmp_path: Path, file: bool) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*inside: Not a directory"):
        refuse_unwritable(tmp_path / "file" / "deep" / "inside", file=file)


def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with permissions_count():
        for place, file in ((closed / "page.html", True), (closed / "deep" / "folder", False), (closed, False)):
            with pytest.raises(InputError, match=f"cannot write {place}: Permission denied"):
                refuse_unwritable(place, file=file)


def test_a_folder_is_not_a_file_and_a_file_is_not_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is a folder"):
        refuse_unwritable(tmp_path, file=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Not a directory"):
        refuse_unwritable(tmp_path / "file", file=False)


def test_the_target_of_a_link_must_be_writable(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    (tmp_path / "link.html").symlink_to("closed/page.html")
    with permissions_count(), pytest.raises(InputError, match="Permission denied"):
        refuse_unwritable(tmp_path / "link.html", file=True)


def test_a_pipe_is_refused_also_behind_a_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(InputError, match=rf"cannot write .*{name}: it is a pipe, not a file"):
            refuse_unwritable(tmp_path / name, file=True)


@pytest.mark.parametrize("file", [True, False])
def test_a_place_whose_name_is_too_long_is_refused(tmp_path: Path, file: bool) -> None:
    with pytest.raises(InputError, match=r"cannot write .*File name too long"):
        refuse_unwritable(tmp_path / ("a" * 300) / "inside", file=file)


@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize("target", ["absent", "link"])
def test_a_place_below_a_link_that_leads_nowhere_is_refused(tmp_path: Path, target: str, file: bool) -> None:
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InputError, match="cannot write"):
        refuse_unwritable(tmp_path / "link" / "inside", file=file)
    assert [path.name for path in tmp_path.iterdir()] == ["link"]

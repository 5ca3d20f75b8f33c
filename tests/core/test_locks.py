"""Only one process has a lock, on any disk; a disk without locks gives a warning."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence.core import locks
from tuppence.core.errors import InputError
from tuppence.core.locks import lock_folder


def test_a_second_holder_is_refused_and_the_folder_is_left_tidy(tmp_path: Path) -> None:
    release = lock_folder(tmp_path, "writing")
    with pytest.raises(InputError, match="another process is writing"):
        lock_folder(tmp_path, "writing")
    release()
    assert list(tmp_path.iterdir()) == []
    lock_folder(tmp_path, "writing")()


def test_a_killed_holder_s_lock_is_free(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from tuppence.core.locks import lock_folder;"
        f" lock_folder(Path({str(tmp_path)!r}), 'writing'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (tmp_path / ".lock").exists()
    lock_folder(tmp_path, "writing")()
    assert list(tmp_path.iterdir()) == []


def test_the_locked_file_is_open_for_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # flock(2): over NFS an exclusive lock needs a descriptor open for writing, else EBADF
    lock = fcntl.flock

    def as_over_nfs(descriptor: int, how: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", as_over_nfs)
    lock_folder(tmp_path, "writing")
    with pytest.raises(InputError, match="another process"):
        lock_folder(tmp_path, "writing")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_disk_without_locks_is_a_warning(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(locks, "warn", said.append)
    monkeypatch.setattr(fcntl, "flock", failing(number))
    lock_folder(tmp_path, "training")()
    assert len(said) == 1
    assert "no locks" in said[0]
    assert str(tmp_path) in said[0]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_held_over_fcntl_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(errno.EACCES))
    with pytest.raises(InputError, match="another process"):
        lock_folder(tmp_path, "training")


def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".lock").symlink_to("victim")
    with pytest.raises(InputError, match="cannot write"):
        lock_folder(tmp_path, "writing")
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_drive_with_changing_inode_numbers_can_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    lock_folder(tmp_path, "writing")()


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail

"""Files are complete or absent after an error, on a full disk, and after a real SIGKILL."""

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


@pytest.mark.parametrize("follow_link", [True, False])
@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_pipe_or_a_device_is_never_replaced_by_a_file(tmp_path: Path, name: str, follow_link: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(InputError, match="it is a pipe, not a file"):
        files.write_text(tmp_path / name, "a page", follow_link=follow_link)
    assert names(tmp_path) == {"pipe", "link"}
    assert (tmp_path / name).is_fifo()


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


def test_a_writer_killed_at_any_moment_leaves_a_complete_file(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    for delay in (0.0, 0.003, 0.007, 0.011, 0.02):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()  # the first file is written; from now on the process is always rewriting it
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        content = target.read_bytes()
        assert len(content) == 4_000_000
        assert len(set(content)) == 1


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
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
def test_the_checksum_is_sha256_for_every_size(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    (tmp_path / "f").write_bytes(content)
    assert files.sha256_file(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_a_link_is_followed_only_with_follow_link(tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to("target.txt")
    with files.atomic_file(link, follow_link=True) as out:
        out.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "target.txt").read_text() == "new"
    files.write_text(link, "ours")
    assert not link.is_symlink()
    assert (link.read_text(), (tmp_path / "target.txt").read_text()) == ("ours", "new")
    assert names(tmp_path) == {"link.txt", "target.txt"}


def test_a_broken_link_is_followed_and_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dead").symlink_to(tmp_path / "absent")
    with files.atomic_file(tmp_path / "dead", follow_link=True) as out:
        out.write(b"x")
    assert (tmp_path / "absent").read_bytes() == b"x"
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with (
        pytest.raises(InputError, match="cannot write"),
        files.atomic_file(tmp_path / "a", follow_link=True) as out,
    ):
        out.write(b"x")


def test_a_link_with_the_hidden_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / f".out.txt.{os.getpid()}.tmp").symlink_to("victim")
    files.write_text(tmp_path / "out.txt", "ours")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "out.txt").is_symlink()
    assert names(tmp_path) == {"out.txt", "victim"}


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path: Path) -> None:
    files.write_text(tmp_path / ("n" * 255), "x")
    assert names(tmp_path) == {"n" * 255}


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS])
def test_files_are_written_on_a_disk_without_fsync(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    files.write_text(tmp_path / "a.txt", "x")
    files.fsync_file(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "x"


def test_a_failed_flush_is_an_error_for_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(InputError, match=r"cannot write .*a\.txt: Input/output error"):
        files.write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == set()


def test_files_are_written_to_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = os.open

    def refuse(path: Path, flags: int, *more: object, **named: object) -> int:
        if Path(path) == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opening(path, flags, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    files.write_text(tmp_path / "a.txt", "x")


def test_an_input_that_cannot_be_read_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    def write() -> None:
        with files.atomic_file(tmp_path / "out.txt"):
            (tmp_path / "absent.txt").read_text()

    with pytest.raises(FileNotFoundError, match=r"absent\.txt"):
        write()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "permissions"), (errno.ENOENT, "path"), (errno.ENAMETOOLONG, "shorter"), (errno.EIO, "disk")],
)
def test_a_system_error_is_translated_with_its_own_words_and_a_hint(number: int, words: str) -> None:
    told = files.explain_os_error(OSError(number, os.strerror(number), "some/file"))
    assert told.message == f"cannot read some/file: {os.strerror(number)}"
    assert words in told.hint

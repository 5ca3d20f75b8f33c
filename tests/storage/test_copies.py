"""The cache of staged copies: processes share it, and the copies used longest ago are removed when it is full."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.memory_store import Memory, MemoryStore, release_copies

from tuppence.core.errors import InputError
from tuppence.storage import stage
from tuppence.storage.copies import LIMIT_VARIABLE, places


def put(memory: Memory, name: str, size: int = 1000) -> str:
    memory.objects[f"mem://b/{name}"] = b"x" * size
    return f"mem://b/{name}"


def use(place: str, at: float) -> Path:
    """Stages a location in a process that has ended since; `at` is the time of its use."""
    copy = stage(place)
    release_copies()
    os.utime(copy.parent / "location", (at, at))
    return copy


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.0000035")  # 3,500 bytes: three copies


@pytest.mark.usefixtures("limit")
def test_the_copy_that_was_used_longest_ago_is_removed_when_the_cache_is_full(memory: Memory) -> None:
    first, second, third = (use(put(memory, name), at) for at, name in enumerate("abc"))
    use("mem://b/a", at=10.0)
    fourth = stage(put(memory, "d"))
    assert [copy.exists() for copy in (first, second, third, fourth)] == [True, False, True, True]
    assert not list(places().glob(f"*{second.parent.name}*")), "nor its lock"


@pytest.mark.usefixtures("limit")
def test_a_copy_in_use_is_never_removed(memory: Memory) -> None:
    in_use = [stage(put(memory, name)) for name in "ab"]
    large = stage(put(memory, "large", 10_000))
    assert all(copy.exists() for copy in [*in_use, large])


@pytest.mark.usefixtures("limit")
def test_a_copy_that_another_process_uses_is_not_removed(memory: Memory) -> None:
    copy = use(put(memory, "a"), at=0.0)
    code = (
        "from pathlib import Path; from tuppence.core.locks import lock_file;"
        f"lock_file(Path({str(copy.parent / 'location')!r}), shared=True); print('in use', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in use\n"
        use(put(memory, "large", 10_000), at=1.0)
        assert copy.exists()
        other.communicate("\n")
    stage(put(memory, "b"))
    assert not copy.exists()


@pytest.mark.usefixtures("limit")
def test_an_unfinished_copy_of_a_killed_process_is_removed_too(memory: Memory) -> None:
    copy = use(put(memory, "a"), at=0.0)
    copy.parent.rename(copy.parent.with_name(f".{copy.parent.name}.999999.tmp"))
    stage(put(memory, "large", 10_000))
    assert not [path for path in places().iterdir() if copy.parent.name in path.name]


@pytest.mark.usefixtures("limit")
def test_copies_of_an_earlier_version_have_no_lock_file_and_are_removed_too(memory: Memory) -> None:
    copy = use(put(memory, "a"), at=0.0)
    copy.parent.with_name(f"{copy.parent.name}.lock").unlink()
    stage(put(memory, "large", 10_000))
    assert not copy.exists()


def test_copies_make_room_on_a_full_disk(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    old = use(put(memory, "a"), at=0.0)
    monkeypatch.setattr("tuppence.storage.copies.free_disk_bytes", lambda folder: 500 if old.exists() else 1500)
    assert stage(put(memory, "b")).exists()
    assert not old.exists()
    with pytest.raises(InputError, match="has 2,000 bytes, and the disk"):
        stage(put(memory, "c", 2000))


def test_several_processes_make_one_copy(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    waiting = threading.Barrier(2)
    original = MemoryStore.open

    def slow_open(self: MemoryStore, name: str) -> BinaryIO:
        opened.append(name)
        waiting.wait(timeout=60)  # until the other one waits
        return original(self, name)

    def note(message: str) -> None:
        assert message == "waiting for another process that copies mem://b/a"
        waiting.wait(timeout=60)

    monkeypatch.setattr(MemoryStore, "open", slow_open)
    monkeypatch.setattr("tuppence.core.console.note", note)
    put(memory, "a")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(stage, ["mem://b/a"] * 2)
    assert first == second
    assert opened == ["a"]


def test_a_disk_without_locks_has_copies_too(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    first, second = (stage(put(memory, name)) for name in "ab")
    assert first.exists(), "no one can know whether it is in use"
    assert second.exists()


def test_a_copy_in_a_cache_that_can_only_be_read_is_used(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = use(put(memory, "a"), at=0.0)
    monkeypatch.setattr("tuppence.storage.copies.lock_file", read_only)
    assert stage("mem://b/a") == copy
    with pytest.raises(InputError, match=r"cannot write .*: Read-only file system"):
        stage(put(memory, "b"))


def read_only(path: Path, **_: object) -> int:
    raise OSError(errno.EROFS, "Read-only file system", str(path))


def test_a_limit_that_is_no_number_is_refused(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "20GB")
    with pytest.raises(InputError, match="TUPPENCE_CACHE_GB is '20GB', not a number"):
        stage(put(memory, "a"))

"""`Mirror` keeps a local folder and a remote one equal."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.memory_store import WritableMemoryStore

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.storage.mirror import Mirror


@pytest.fixture
def store() -> WritableMemoryStore:
    return WritableMemoryStore("mem://bucket/out")


@pytest.fixture
def local(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_lists_of_checksums_go_last_and_leave_first(store: WritableMemoryStore, local: Path) -> None:
    write(local, "MANIFEST.json", "a/index.json", "a/z.bin", "b.bin", "config.json", "run.yaml", ".hidden")
    mirror = Mirror(local, store)
    mirror.end()
    assert store.written == ["a/z.bin", "b.bin", "MANIFEST.json", "a/index.json", "config.json", "run.yaml"]
    for name in ("MANIFEST.json", "b.bin"):
        (local / name).unlink()
    mirror.end()
    assert store.deleted == ["MANIFEST.json", "b.bin"]


def test_what_is_remote_comes_first_and_only_changes_are_sent(store: WritableMemoryStore, local: Path) -> None:
    store.put("kept.txt", b"kept")
    store.put("deep/changed.txt", b"old")
    mirror = Mirror(local, store)
    mirror.begin()
    assert (local / "deep/changed.txt").read_bytes() == b"old"
    (local / "deep/changed.txt").write_bytes(b"new one")
    store.written.clear()
    mirror.end()
    assert store.written == ["deep/changed.txt"]
    assert (store.sha256("deep/changed.txt"), store.deleted) == (hashlib.sha256(b"new one").hexdigest(), [])


def test_a_single_file_is_mirrored_without_its_neighbours(store: WritableMemoryStore, local: Path) -> None:
    store.put("other.txt", b"other")
    mirror = Mirror(local, store, only="mine.txt")
    mirror.begin()
    write(local, "mine.txt", "location")
    mirror.end()
    assert store.names() == ["mine.txt", "other.txt"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_arrives_damaged_is_sent_again(
    store: WritableMemoryStore, local: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    write(local, "a")
    original, left = store.put, [times]

    def damaging(name: str, content: bytes) -> str:
        left[0] -= 1
        return original(name, content if left[0] < 0 else b"wrong")

    monkeypatch.setattr(store, "put", damaging)
    if times == 3:
        with pytest.raises(CorruptFileError, match=r"mem://bucket/out/a arrived damaged 3 times"):
            Mirror(local, store).end()
    else:
        Mirror(local, store).end()
        assert store.read("a") == (b"a", hashlib.md5(b"a").hexdigest())


def test_names_that_leave_the_folder_and_full_disks_are_refused(
    store: WritableMemoryStore, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("../escape", b"x")
    with pytest.raises(InputError, match="unusable name"):
        Mirror(local, store).begin()
    store.delete("../escape")
    store.put("large", b"12345")
    monkeypatch.setattr("tuppence.storage.mirror.free_disk_bytes", lambda folder: 4)
    with pytest.raises(InputError, match="has 5 bytes, and the disk"):
        Mirror(local, store).begin()
    assert list(local.iterdir()) == []


def test_the_speed_of_large_files_is_measured(store: WritableMemoryStore, local: Path) -> None:
    mirror = Mirror(local, store)
    write(local, "small")
    mirror.end()
    assert mirror.bytes_per_second is None
    (local / "large").write_bytes(bytes(2_000_000))
    mirror.end()
    assert mirror.bytes_sent == 2_000_000
    assert mirror.bytes_per_second is not None

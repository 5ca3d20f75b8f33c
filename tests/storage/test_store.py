"""Every store answers alike: the local file system, and the object store of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.memory_store import Memory

from tuppence.core.errors import InputError
from tuppence.storage import Store, open_store

CONTENT = {"b.txt": b"bb", "a.txt": b"a", "deep/c.txt": b"ccc", "deep/er/d.txt": b"d", ".hidden": b"no"}


@pytest.fixture(params=["local", "mem"])
def store(request: pytest.FixtureRequest, tmp_path: Path, memory: Memory) -> Store:
    for name, content in CONTENT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        memory.objects[f"mem://b/root/{name}"] = content
    return open_store(str(tmp_path) if request.param == "local" else "mem://b/root")


def test_files_are_listed_by_name_with_their_sizes(store: Store) -> None:
    listed = [(entry.name, entry.size) for entry in store.list()]
    assert listed == [("a.txt", 1), ("b.txt", 2), ("deep/c.txt", 3), ("deep/er/d.txt", 1)]
    entered = [entry.name for entry in store.list(enter=lambda name: name != "deep/er")]
    assert entered == ["a.txt", "b.txt", "deep/c.txt"]


def test_a_file_is_described_as_it_is_listed_and_a_folder_is_no_file(store: Store) -> None:
    assert [store.describe(entry.name) for entry in store.list()] == list(store.list())
    assert store.describe("deep") is None
    assert store.describe("absent") is None


def test_folders_are_those_that_hold_files(store: Store) -> None:
    assert [store.is_folder(name) for name in ("", "deep", "deep/er", "a.txt", "absent")] == [
        *(True, True, True, False, False)
    ]


def test_a_file_is_opened_as_a_seekable_stream(store: Store) -> None:
    with store.open("deep/c.txt") as stream:
        assert stream.seekable()
        assert stream.read() == b"ccc"
    with pytest.raises(InputError, match="absent does not exist"):
        store.open("absent")

"""The local store reads what is there, and lists it in order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.storage import open_store


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "deep/c.txt", "deep/er/d.txt", ".hidden.txt", ".git/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}")
    return tmp_path


def test_listing_is_sorted_recursive_and_without_hidden_files(store_folder: Path) -> None:
    names = [entry.name for entry in open_store(str(store_folder)).list()]
    assert names == ["a.txt", "b.txt", "deep/c.txt", "deep/er/d.txt"]


def test_listing_enters_the_folders_that_are_asked_for(store_folder: Path) -> None:
    store = open_store(str(store_folder))
    assert [entry.name for entry in store.list(enter=lambda name: False)] == ["a.txt", "b.txt"]
    assert [entry.name for entry in store.list(enter=lambda name: name == "deep")] == ["a.txt", "b.txt", "deep/c.txt"]


def test_linked_folders_are_listed_and_links_in_a_circle_end(store_folder: Path) -> None:
    store = open_store(str(store_folder / "deep"))
    (store_folder / "deep" / "linked").symlink_to(store_folder / "deep" / "er")
    (store_folder / "deep" / "er" / "up").symlink_to(store_folder / "deep")
    assert [entry.name for entry in store.list()] == ["c.txt", "er/d.txt", "linked/d.txt"]


def test_broken_links_and_pipes_have_errors_of_their_own(store_folder: Path) -> None:
    (store_folder / "lost.txt").symlink_to("/gone/blob")
    os.mkfifo(store_folder / "pipe.txt")
    store = open_store(str(store_folder))
    with pytest.raises(InputError, match="is a link to /gone/blob, which does not exist"):
        store.describe("lost.txt")
    with pytest.raises(InputError, match="is a pipe, not a file"):
        store.describe("pipe.txt")
    unusable: list[str] = []
    names = [entry.name for entry in store.list(on_unusable=lambda name, error: unusable.append(name))]
    assert names == ["a.txt", "b.txt", "deep/c.txt", "deep/er/d.txt"]
    assert unusable == ["lost.txt", "pipe.txt"]


def test_a_name_that_begins_with_a_tilde_is_a_name_unless_it_is_a_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("~old/a.txt", "home/b.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x")
    assert [entry.name for entry in open_store("~old").list()] == ["a.txt"]
    assert [entry.name for entry in open_store("~").list()] == ["b.txt"]


def test_a_version_changes_with_the_content(store_folder: Path) -> None:
    store = open_store(str(store_folder))
    before = store.describe("a.txt")
    (store_folder / "a.txt").write_text("something else")
    assert before is not None
    assert store.describe("a.txt") != before


def test_a_missing_name_is_none_to_describe_and_an_error_to_open(store_folder: Path) -> None:
    store = open_store(str(store_folder))
    assert store.describe("nothing.txt") is None
    assert store.describe("deep") is None
    with pytest.raises(InputError, match=r"nothing\.txt does not exist"):
        store.open("nothing.txt")
    with pytest.raises(InputError, match="does not exist"):
        list(open_store(str(store_folder / "nowhere")).list())

"""`stage` gives local, read-only, verified copies, once for each version of a place."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.memory_store import Memory, MemoryStore

from tuppence.core import console
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.storage import Entry, location_of, stage, stage_checkpoint, stage_run
from tuppence.storage.copies import places


def run_in(memory: Memory) -> str:
    for name in (
        *("run.yaml", "metrics.jsonl", "model/config.json", "tensorboard/events"),
        *("checkpoints/step-00000001/state.json", "checkpoints/step-00000002/state.json"),
    ):
        memory.objects[f"mem://b/run/{name}"] = name.encode()
    return "mem://b/run"


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_local_path_is_returned_unchanged(tmp_path: Path) -> None:
    assert stage(tmp_path) == tmp_path
    assert stage(str(tmp_path / "absent")) == tmp_path / "absent"
    assert stage_run(f"file://{tmp_path}") == stage_checkpoint(tmp_path) == tmp_path
    assert location_of("runs/tiny") == "runs/tiny"


def test_a_remote_file_is_copied_read_only_under_its_own_name(memory: Memory) -> None:
    memory.objects["mem://b/rows.json"] = b"[]"
    copy = stage("mem://b/rows.json")
    assert (copy.name, copy.read_bytes()) == ("rows.json", b"[]")
    assert not copy.stat().st_mode & stat.S_IWUSR
    assert location_of(copy) == "mem://b/rows.json"


def test_a_remote_folder_is_copied_once_for_each_version(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.objects |= {"mem://b/tok/tokenizer.json": b"{}", "mem://b/tok/deep/a.txt": b"a", "mem://b/tokens": b"no"}
    first = stage("mem://b/tok")
    assert (first.name, files(first)) == ("tok", ["deep/a.txt", "tokenizer.json"])
    assert location_of(first / "deep" / "a.txt") == "mem://b/tok/deep/a.txt"
    with monkeypatch.context() as patched:
        patched.delattr(MemoryStore, "open")
        assert stage("mem://b/tok") == stage("mem://b/tok/") == first
    memory.objects["mem://b/tok/deep/a.txt"] = b"b"
    second = stage("mem://b/tok")
    assert second != first
    assert (second / "deep/a.txt").read_bytes() == b"b"


def test_a_run_is_copied_without_its_checkpoints(memory: Memory) -> None:
    run = run_in(memory)
    assert files(stage_run(run)) == ["metrics.jsonl", "model/config.json", "run.yaml"]


def test_the_model_folder_of_a_run_comes_with_the_run(memory: Memory) -> None:
    model = stage_run(run_in(memory) + "/model")
    assert files(model) == ["config.json"]
    assert (model.parent / "run.yaml").is_file()
    memory.objects["mem://b/hf/model/config.json"] = b"{}"
    assert files(stage_run("mem://b/hf/model").parent) == ["location", "model/config.json"]


def test_a_checkpoint_is_staged_with_the_files_directly_in_its_run(memory: Memory) -> None:
    step = stage_checkpoint(run_in(memory) + "/checkpoints/step-00000002")
    assert (step.name, step.parent.name) == ("step-00000002", "checkpoints")
    assert files(step.parent.parent) == ["checkpoints/step-00000002/state.json", "metrics.jsonl", "run.yaml"]


def test_a_copy_with_a_wrong_checksum_is_an_error_and_is_not_kept(memory: Memory) -> None:
    manifest = {"model.bin": {"bytes": 3, "sha256": hashlib.sha256(b"old").hexdigest()}}
    memory.objects |= {"mem://b/c/model.bin": b"new", "mem://b/c/MANIFEST.json": json.dumps(manifest).encode()}
    with pytest.raises(CorruptFileError, match=r"mem://b/c/model\.bin is damaged"):
        stage("mem://b/c")
    assert list(places().glob("*/")) == []


def test_a_copy_with_a_missing_file_is_made_again(memory: Memory) -> None:
    memory.objects["mem://b/tok/a.txt"] = b"a"
    copy = stage("mem://b/tok")
    (copy / "a.txt").unlink()
    assert (stage("mem://b/tok") / "a.txt").read_bytes() == b"a"


@pytest.mark.parametrize("name", ["../../escape.txt", "a//b.txt", "deep/../a.txt", "a\\b.txt", "c:evil.txt"])
def test_a_key_outside_the_copy_is_refused(memory: Memory, name: str) -> None:
    memory.objects[f"mem://b/tok/{name}"] = b"x"
    with pytest.raises(InputError, match="unusable name"):
        stage("mem://b/tok")


def test_missing_too_large_and_changing_locations_are_refused(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.objects["mem://b/large.txt"] = b"0123456789"
    with pytest.raises(InputError, match="mem://b/none does not exist"):
        stage("mem://b/none")
    with pytest.raises(InputError, match="10 bytes, more than the 9"):
        stage("mem://b/large.txt", most_bytes=9)
    monkeypatch.setattr("tuppence.storage.copies.free_disk_bytes", lambda folder: 5)
    with pytest.raises(InputError, match="has 10 bytes, and the disk"):
        stage("mem://b/large.txt")
    monkeypatch.setattr("tuppence.storage.copies.free_disk_bytes", lambda folder: None)
    versions = iter("abcdef")

    def changing(self: MemoryStore, name: str) -> Entry | None:
        return Entry(name, 10, next(versions)) if name == "large.txt" else None

    monkeypatch.setattr(MemoryStore, "describe", changing)
    with pytest.raises(InputError, match="changed while it was read"):
        stage("mem://b/large.txt")


def test_a_file_that_arrives_short_is_refused(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.objects["mem://b/a.txt"] = b"12345"
    monkeypatch.setattr(MemoryStore, "describe", lambda self, name: Entry(name, 9, "v") if name == "a.txt" else None)
    with pytest.raises(CorruptFileError, match=r"mem://b/a\.txt: 5 of 9 bytes arrived"):
        stage("mem://b/a.txt")


@pytest.fixture
def names() -> Iterator[None]:
    yield
    console._shown_as.clear()


@pytest.mark.usefixtures("names")
def test_messages_call_a_copy_by_its_location(memory: Memory) -> None:
    memory.objects["mem://b/tok/a.txt"] = b"a"
    copy = stage("mem://b/tok")
    assert console.with_names(f"{copy / 'a.txt'} is not JSON") == "mem://b/tok/a.txt is not JSON"

"""A run in a store: what is sent in which order, what is removed, and what a new machine finds."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.memory_store import WritableMemoryStore

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.storage import AwsError, run_mirror
from tuppence.storage.checksums import verify_checksums
from tuppence.storage.lease import LostLeaseError, split_ledger
from tuppence.storage.run_mirror import RunMirror

Make = Callable[[], RunMirror]


@pytest.fixture
def store() -> WritableMemoryStore:
    return WritableMemoryStore("mem://bucket/run")


@pytest.fixture
def machine(
    store: WritableMemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], RunMirror]]:
    """Gives a mirror on a new machine, whose threads do nothing by themselves."""
    monkeypatch.setattr(run_mirror, "POLL_SECONDS", 1e6)
    monkeypatch.setattr(run_mirror, "LEDGER_SECONDS", 1e6)
    monkeypatch.setenv("TRAINING_JOB_NAME", "job")  # all of them are machines of one job
    made: list[RunMirror] = []

    def new() -> RunMirror:
        folder = tmp_path / f"machine-{len(made)}"
        folder.mkdir()
        made.append(RunMirror(folder, store, on_lost=lambda: None))
        made[-1].begin()
        return made[-1]

    yield new
    for mirror in made:
        mirror._over.set()


def checkpoint(mirror: RunMirror, step: int, content: bytes | None = None) -> None:
    """Writes a checkpoint as training does: it appears whole."""
    folder = mirror.local / "checkpoints" / f"step-{step:08d}"
    hidden = folder.with_name(f".{folder.name}.tmp")
    hidden.mkdir(parents=True)
    files = {"model.safetensors": content or b"weights %d" % step, "state.json": b'{"step": %d}' % step}
    for name, held in files.items():
        (hidden / name).write_bytes(held)
    manifest = {name: {"bytes": len(held), "sha256": hashlib.sha256(held).hexdigest()} for name, held in files.items()}
    (hidden / "MANIFEST.json").write_text(json.dumps(manifest))
    hidden.rename(folder)


def log(mirror: RunMirror, text: str) -> None:
    with (mirror.local / "metrics.jsonl").open("a") as out:
        out.write(text)
    (mirror.local / "run.yaml").write_text(f"status: {text}")


def steps(folder: Path) -> list[int]:
    return sorted(int(path.name[5:]) for path in (folder / "checkpoints").glob("step-*"))


def stored(store: WritableMemoryStore) -> list[int]:
    return sorted(int(name.split("/")[1][5:]) for name in store.names() if name.endswith("MANIFEST.json"))


def test_logs_go_before_a_checkpoint_its_manifest_last_and_the_result_after_it(
    store: WritableMemoryStore, machine: Make
) -> None:
    mirror = machine()
    log(mirror, "one")
    checkpoint(mirror, 10)
    (mirror.local / "model").mkdir()
    for name in ("config.json", "model.safetensors"):
        (mirror.local / "model" / name).write_text(name)
    store.written.clear()
    mirror.flush()
    log(mirror, "two")
    mirror.flush()
    assert store.written == [
        *("run.yaml", "metrics.jsonl", "ledger.jsonl"),
        *(f"checkpoints/step-00000010/{name}" for name in ("model.safetensors", "state.json", "MANIFEST.json")),
        *("model/model.safetensors", "model/config.json"),
        *("metrics.jsonl", "run.yaml"),
    ]


def test_a_pruned_checkpoint_leaves_only_after_the_newest_one_was_read_back(
    store: WritableMemoryStore, machine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = machine()
    log(mirror, "one")
    for step in (10, 20):
        checkpoint(mirror, step)
    mirror.flush()
    shutil.rmtree(mirror.local / "checkpoints/step-00000010")
    checkpoint(mirror, 30)
    with monkeypatch.context() as broken:
        broken.setattr(store, "put", lambda name, content: f"{WritableMemoryStore.put(store, name, b'x')}-not md5")
        broken.setattr(store, "sha256", lambda name: "another")
        with pytest.raises(CorruptFileError):
            mirror.flush()
    assert {10, 20} <= set(stored(store))
    mirror.end()
    assert stored(store) == [20, 30] == steps(machine().local)


def test_a_checkpoint_that_is_gone_locally_stays_while_nothing_newer_is_verified(
    store: WritableMemoryStore, machine: Make
) -> None:
    mirror = machine()
    log(mirror, "one")
    checkpoint(mirror, 10)
    mirror.flush()
    shutil.rmtree(mirror.local / "checkpoints")  # the disk was lost
    mirror.end()
    assert stored(store) == [10]


def test_what_was_set_aside_is_not_found_by_a_new_machine(store: WritableMemoryStore, machine: Make) -> None:
    mirror = machine()
    log(mirror, "one")
    for step in (10, 20):
        checkpoint(mirror, step)
    mirror.flush()
    folder = mirror.local / "checkpoints"
    (folder / "step-00000020").rename(folder / "set-aside-step-00000020")
    mirror.end()
    second = machine()
    assert steps(second.local) == [10]
    checkpoint(second, 20, b"of another line")
    second.end()
    assert store.read("checkpoints/step-00000020/model.safetensors") is not None
    assert (machine().local / "checkpoints/step-00000020/model.safetensors").read_bytes() == b"of another line"


def test_the_only_checkpoint_is_removed_too_if_it_was_set_aside(store: WritableMemoryStore, machine: Make) -> None:
    mirror = machine()
    log(mirror, "one")
    checkpoint(mirror, 10)
    mirror.flush()
    folder = mirror.local / "checkpoints"
    (folder / "step-00000010").rename(folder / "set-aside-step-00000010")
    mirror.flush()
    assert stored(store) == []


def test_a_damaged_checkpoint_is_left_out_and_replaced_by_the_next_one(
    store: WritableMemoryStore, machine: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = machine()
    log(mirror, "one")
    for step in (10, 20):
        checkpoint(mirror, step)
    mirror.end()
    store.put("checkpoints/step-00000020/model.safetensors", b"wEights 20")
    store.delete("checkpoints/step-00000010/MANIFEST.json")
    checkpoint(machine(), 5)  # nothing of it was sent: the machine is lost
    second = machine()
    assert steps(second.local) == []
    assert "step-00000020 is damaged and is left out" in capsys.readouterr().err
    checkpoint(second, 20)
    second.end()
    assert stored(store) == [20] == steps(machine().local)


def test_what_the_holder_before_wrote_while_we_waited_is_found(
    store: WritableMemoryStore, machine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machine()
    log(first, "one")
    checkpoint(first, 10)
    first.flush()
    acquire = run_mirror.Lease.acquire

    def waiting(lease: run_mirror.Lease) -> bytes:
        checkpoint(first, 20)
        first.end()
        return acquire(lease)

    monkeypatch.setattr(run_mirror.Lease, "acquire", waiting)
    assert steps(machine().local) == [10, 20]


def test_logs_and_ledger_come_back(store: WritableMemoryStore, machine: Make) -> None:
    mirror = machine()
    log(mirror, "one")
    (mirror.local / "ledger.jsonl").write_text('{"attempt": 1, "seconds": 1}\n{"attempt": 1, "seconds": 2}\n')
    mirror.end()
    second = machine()
    assert (second.local / "metrics.jsonl").read_text() == "one"
    assert (second.local / "ledger.jsonl").read_text() == '{"attempt": 1, "seconds": 2}\n'
    second.end()
    found = store.read("ledger.jsonl")
    assert found is not None
    assert split_ledger(found[0])[1]["released"] is True


def test_a_run_that_never_began_leaves_nothing(store: WritableMemoryStore, machine: Make) -> None:
    machine().end()
    assert store.names() == []


def test_a_folder_that_holds_something_else_is_refused(store: WritableMemoryStore, machine: Make) -> None:
    store.put("thesis.tex", b"x")
    with pytest.raises(InputError, match="mem://bucket/run is not empty and holds no run"):
        machine()
    assert store.names() == ["thesis.tex"]


def test_nothing_is_sent_after_another_process_has_taken_over(
    store: WritableMemoryStore, machine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machine()
    log(first, "one")
    first.flush()
    machine()
    log(first, "two")
    monkeypatch.setattr(run_mirror, "LEDGER_SECONDS", 0.0)
    monkeypatch.setattr(run_mirror, "POLL_SECONDS", 0.0)
    first._keep_ledger()
    assert first.lost is not None
    with pytest.raises(LostLeaseError):
        first.flush()
    with pytest.raises(LostLeaseError):
        first.end()
    assert store.read("metrics.jsonl") == (b"one", hashlib.md5(b"one").hexdigest())


def test_a_holder_that_cannot_write_stops_before_another_one_may_start(
    machine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = machine()
    monkeypatch.setattr(mirror._lease, "renewed_at", mirror._lease.renewed_at - 1000)
    with pytest.raises(LostLeaseError, match="could not be written for too long"):
        mirror.flush()


def test_the_time_that_an_upload_takes_grows_with_what_is_not_sent(machine: Make) -> None:
    mirror = machine()
    before = mirror.seconds_for(1_000_000)
    checkpoint(mirror, 10, bytes(5_000_000))
    assert mirror.seconds_for(1_000_000) > before > mirror.seconds_for(0) - 1
    log(mirror, "one")
    mirror.flush()
    facts = mirror.facts(100)
    assert (facts["place"], facts["bytes"], facts["saves_within_sigterm"]) == ("mem://bucket/run", 5_000_000, True)


@pytest.mark.parametrize("seed", range(4))
def test_wherever_a_machine_is_lost_the_next_one_finds_all_that_had_arrived(
    store: WritableMemoryStore, machine: Make, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each machine trains, prunes as the loop does, and is lost in the middle of any write or removal."""
    chance, step, safe = random.Random(seed), 0, 0
    put, delete = store.put, store.delete
    left = 0

    def lose() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise AwsError("the machine is gone", "")

    def losing_put(name: str, content: bytes) -> str:
        lose()
        return put(name, content)

    def losing_delete(*names: str) -> None:
        for name in names:
            lose()
            delete(name)

    for _ in range(12):
        mirror = machine()
        found = steps(mirror.local)
        assert (max(found) if found else 0) >= safe
        verify_checksums(mirror.local)
        for name in found:
            assert (
                mirror.local / f"checkpoints/step-{name:08d}/model.safetensors"
            ).read_bytes() == b"weights %d" % name
        step, left = max(found, default=0), chance.randrange(30)
        with monkeypatch.context() as losing, pytest.raises(AwsError):
            losing.setattr(store, "put", losing_put)
            losing.setattr(store, "delete", losing_delete)
            while True:
                step += 1
                log(mirror, f"{step},")
                checkpoint(mirror, step)
                for old in steps(mirror.local)[:-2]:
                    shutil.rmtree(mirror.local / f"checkpoints/step-{old:08d}")
                mirror.flush()
                safe = step

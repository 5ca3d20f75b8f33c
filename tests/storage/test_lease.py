"""One process holds the ledger of a run in a store, and only that one may spend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.memory_store import WritableMemoryStore
from tests.s3_servers import Bucket

from tuppence.core.errors import InputError
from tuppence.cost.ledger import Ledger, Rate, read_attempts
from tuppence.storage import lease as leases
from tuppence.storage.lease import LEASE_SECONDS, Lease, LostLeaseError, last_rows, split_ledger
from tuppence.storage.store import RemoteStore

NAME = "ledger.jsonl"


def elsewhere(monkeypatch: pytest.MonkeyPatch, **facts: object) -> None:
    """Lets further leases of this process be those of another machine."""
    monkeypatch.setattr(leases, "_this_process", lambda: {"host": "other", "boot": "b", "pid": 1, "job": None, **facts})


def test_the_rows_of_earlier_attempts_are_given_and_kept() -> None:
    store = WritableMemoryStore()
    first = Lease(store, NAME)
    assert (first.acquire(), first.was_new) == (b"", True)
    first.renew(b'{"attempt": 1}\n')
    first.renew(b'{"attempt": 1, "seconds": 2}\n', release=True)
    second = Lease(store, NAME)
    assert (second.acquire(), second.was_new) == (b'{"attempt": 1, "seconds": 2}\n', False)
    found = store.read(NAME)
    assert found is not None
    rows, holder = split_ledger(found[0])
    assert rows == b'{"attempt": 1, "seconds": 2}\n'
    assert holder["released"] is False


def test_a_second_process_is_refused_while_the_first_one_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    store = WritableMemoryStore()
    elsewhere(monkeypatch)
    first = Lease(store, NAME)
    first.acquire()
    monkeypatch.undo()
    monkeypatch.setattr("time.sleep", lambda _: first.renew(b""))  # it writes while the second one waits
    with pytest.raises(InputError, match="mem://bucket/run is being trained: other writes there"):
        Lease(store, NAME).acquire()
    first.renew(b"")


def test_a_second_process_takes_over_when_the_first_one_has_not_written_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = WritableMemoryStore()
    elsewhere(monkeypatch)
    first = Lease(store, NAME)
    first.acquire()
    monkeypatch.undo()

    def sleep(seconds: float) -> None:
        assert seconds > 0
        store.clock += seconds

    monkeypatch.setattr("time.sleep", sleep)
    Lease(store, NAME).acquire()
    assert LEASE_SECONDS <= store.clock < LEASE_SECONDS + 1
    with pytest.raises(LostLeaseError, match="another process has taken over mem://bucket/run"):
        first.renew(b"")


def test_a_killed_process_of_this_machine_is_replaced_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = WritableMemoryStore()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = leases._this_process()
    elsewhere(monkeypatch, **{**here, "pid": child.pid, "pid_began": leases._began(child.pid)})
    Lease(store, NAME).acquire()
    monkeypatch.undo()
    with pytest.raises(InputError, match="is being trained"):
        Lease(store, NAME).acquire()
    child.kill()
    child.wait()
    Lease(store, NAME).acquire()
    with pytest.raises(InputError, match="is being trained"):  # this process itself holds it now
        Lease(store, NAME).acquire()


def test_a_job_that_was_interrupted_replaces_its_earlier_machine_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = WritableMemoryStore()
    elsewhere(monkeypatch, job="tuppence-a")
    Lease(store, NAME).acquire()
    monkeypatch.undo()
    monkeypatch.setenv("TRAINING_JOB_NAME", "tuppence-a")
    Lease(store, NAME).acquire()


@pytest.mark.parametrize("exists", [False, True])
def test_of_processes_that_start_together_one_holds_the_ledger(moto_s3: Bucket, exists: bool) -> None:
    store = moto_s3.store("run")
    if exists:
        store.put(NAME, b'{"attempt": 1, "seconds": 5}\n')
    together = threading.Barrier(4)

    def start(_: int) -> Lease | None:
        mine = Lease(store, NAME)
        read = store.read

        class Together:
            """The store; all have read the ledger before one of them writes."""

            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def read(self, name: str) -> Any:
                found = read(name)
                together.wait()
                return found

        mine._store = Together()  # type: ignore[assignment]
        try:
            mine.acquire()
        except InputError:
            return None
        return mine

    with ThreadPoolExecutor(4) as pool:
        assert sum(mine is not None for mine in pool.map(start, range(4))) == 1


def test_a_lost_answer_is_no_lost_lease() -> None:
    store = WritableMemoryStore()
    mine = Lease(store, NAME)
    mine.acquire()
    mine._version = "an older one"  # as if the answer to the last write had not arrived
    mine.renew(b'{"attempt": 1}\n')
    assert store.read(NAME) is not None


def test_two_machines_cannot_both_spend_one_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a second machine finds in the store is what the first one has spent, and the first one must stop."""
    store, clock = WritableMemoryStore(), [0.0]
    rate, cap = Rate(3600.0, "test"), 100.0  # a dollar a second
    elsewhere(monkeypatch)
    first = Lease(store, NAME)
    first.acquire()
    ledger = Ledger(tmp_path / "first.jsonl", rate, cap, clock=lambda: clock[0], began=0.0, guarded=True)
    ledger.startup_seconds = 1.0
    clock[0] = 40.0
    ledger.tick()
    first.renew(last_rows(tmp_path / "first.jsonl"))
    clock[0] = 60.0
    monkeypatch.undo()
    store.clock += LEASE_SECONDS
    rows = Lease(store, NAME).acquire()
    (tmp_path / "second.jsonl").write_bytes(rows)
    (attempt,) = read_attempts(tmp_path / "second.jsonl")
    assert 40 < attempt.dollars < cap
    second = Ledger(tmp_path / "second.jsonl", rate, cap, clock=lambda: clock[0], began=60.0)
    assert second.seconds_to_budget() == pytest.approx(cap - attempt.dollars)
    ledger.tick()
    with pytest.raises(LostLeaseError):
        first.renew(last_rows(tmp_path / "first.jsonl"))


def test_the_last_row_of_each_attempt_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for number in (1, 2):
        ledger = Ledger(path, Rate(1.0, "test"), clock=iter(range(0, 700, 7)).__next__)
        for _ in range(3):
            ledger.tick()
        if number == 1:
            ledger.end("done")
    (tmp_path / "short.jsonl").write_bytes(last_rows(path))
    assert read_attempts(tmp_path / "short.jsonl") == read_attempts(path)
    assert len((tmp_path / "short.jsonl").read_bytes().splitlines()) == 2
    assert last_rows(tmp_path / "absent") == b""


def test_the_holder_is_this_process() -> None:
    store: RemoteStore = WritableMemoryStore()
    Lease(store, NAME).acquire()
    found = store.read(NAME)
    assert found is not None
    assert json.loads(found[0])["pid"] == os.getpid()

"""The ledger of a run in a store: one process holds it, and only that one may spend.

Two machines that are started on the same run share its cap. Each would read the same ledger and spend what is left.
So the ledger in the store has a last line that names its holder, and every write of it is conditional on the version
that the holder wrote last. A second process finds a live holder and is refused; of two that start at the same time, one
write succeeds. A holder whose write fails because of another holder's has lost the run and must stop.

A holder is dead if it has released the ledger, if its process on this machine is gone, if it is an earlier machine of
the same cloud job, or if it has not written for `LEASE_SECONDS` by the store's clock. It stops by itself a little
earlier if it cannot write.

The store's copy has only the last line of each attempt, which is all that `cost.ledger.read_attempts` uses.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.core.process import boot_id
from tuppence.storage.location import join
from tuppence.storage.store import RemoteStore

LEASE_SECONDS = 180.0
STOP_SECONDS = 150.0
"""A holder that could not write for this long stops."""
_POLL_SECONDS = 5.0
_JOB_VARIABLE = "TRAINING_JOB_NAME"
"""SageMaker's name of the job; a job that was interrupted starts again under the same name."""


class LostLeaseError(InputError):
    """Another process holds the run now."""


class Lease:
    """The right to spend on a run.

    Args:
        name: the ledger in the store.

    Attributes:
        renewed_at: when the last write of the ledger began, in seconds of `time.monotonic`.
        was_new: whether there was no ledger before.
    """

    def __init__(self, store: RemoteStore, name: str) -> None:
        self._store, self._name, self._id = store, name, uuid.uuid4().hex
        self._version, self._count, self._writing = "", 0, threading.Lock()
        self.renewed_at = time.monotonic()
        self.was_new = False

    def acquire(self) -> bytes:
        """Becomes the holder; returns the lines of the earlier attempts.

        Raises:
            InputError: another process holds the run.
        """
        found = self._store.read(self._name)
        rows, holder = split_ledger(found[0] if found is not None else b"")
        self.was_new = found is None
        if found is not None and holder:
            self._wait_until_dead(holder, found[1])
        began = time.monotonic()
        content = self._content(rows)
        if found is None:
            version = self._store.put_if_absent(self._name, content)
        else:
            version = self._store.replace_if(self._name, content, found[1])
        if version is None:
            raise self._refusal("another process has just started")
        self._version, self.renewed_at = version, began
        return rows

    def renew(self, rows: bytes, *, release: bool = False) -> None:
        """Writes the ledger.

        Args:
            rows: the lines of all attempts.
            release: whether this is the last write.

        Raises:
            LostLeaseError: another process has become the holder.
            AwsError: the store cannot be reached.
        """
        with self._writing:
            began = time.monotonic()
            content = self._content(rows, released=release)
            version = self._store.replace_if(self._name, content, self._version)
            if version is None:
                found = self._store.read(self._name)
                if found is not None and split_ledger(found[0])[1].get("id") == self._id:  # a write of ours came late
                    version = self._store.replace_if(self._name, content, found[1])
            if version is None:
                raise LostLeaseError(f"another process has taken over {self._place()}", "stop one of the two")
            self._version, self.renewed_at = version, began

    def withdraw(self) -> None:
        """Removes a ledger that this process has created and in which nothing was spent."""
        self._store.delete(self._name)

    @property
    def seconds_since(self) -> float:
        """Seconds since the last write began."""
        return time.monotonic() - self.renewed_at

    @property
    def seconds_to_stop(self) -> float:
        """Seconds until this holder must stop if it cannot write."""
        return STOP_SECONDS - self.seconds_since

    def _content(self, rows: bytes, *, released: bool = False) -> bytes:
        self._count += 1
        holder = {**_this_process(), "id": self._id, "writes": self._count, "released": released}
        return rows + json.dumps({"event": "holder", **holder}).encode() + b"\n"

    def _wait_until_dead(self, holder: Mapping[str, Any], version: str) -> None:
        """Waits for a holder of which it is not known whether it is alive.

        Raises:
            InputError: it is alive.
        """
        told = False
        while not _is_dead(holder):
            age = self._store.age(self._name)
            if age is None or age >= LEASE_SECONDS:
                return
            entry = self._store.describe(self._name)
            if entry is None or entry.version != version or _is_alive_here(holder):
                raise self._refusal(f"{holder.get('host') or 'another machine'} writes there")
            if not told:
                console.note(
                    f"{self._place()}: {holder.get('host') or 'another machine'} wrote there {age:.0f} s ago; "
                    f"waiting up to {LEASE_SECONDS - age:.0f} s for it to write again, or to be given up"
                )
                told = True
            time.sleep(min(_POLL_SECONDS, max(LEASE_SECONDS - age, 0.1)))

    def _refusal(self, because: str) -> InputError:
        return InputError(f"{self._place()} is being trained: {because}", "wait for it, or choose another --out")

    def _place(self) -> str:
        return join(self._store.url, *self._name.split("/")[:-1]) if "/" in self._name else self._store.url


def split_ledger(content: bytes) -> tuple[bytes, Mapping[str, Any]]:
    """Splits a ledger of the store into the lines of its attempts and its holder, which is {} if there is none."""
    rows, holder = [], {}
    for line in content.splitlines(keepends=True):
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and row.get("event") == "holder":
                holder = row
                continue
        rows.append(line)
    return b"".join(rows), holder


def last_rows(ledger: Path) -> bytes:
    """Returns the last line of each attempt of a local ledger."""
    last: dict[Any, bytes] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in ledger.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict) and isinstance(row.get("attempt"), int):
                    last[row["attempt"]] = line + b"\n"
    return b"".join(last.values())


def _this_process() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "boot": boot_id(),
        "namespace": _namespace(),
        "pid": os.getpid(),
        "pid_began": _began(os.getpid()),
        "job": os.environ.get(_JOB_VARIABLE) or None,
    }


def _is_dead(holder: Mapping[str, Any]) -> bool:
    """Whether a holder is known to write no more."""
    if holder.get("released") is True:
        return True
    job = os.environ.get(_JOB_VARIABLE)
    if job and holder.get("job") == job:
        return True
    return _is_of_this_machine(holder) and not _is_running(holder)


def _is_alive_here(holder: Mapping[str, Any]) -> bool:
    return _is_of_this_machine(holder) and _is_running(holder)


def _is_of_this_machine(holder: Mapping[str, Any]) -> bool:
    """Whether the process ids of a holder are those that we see. Containers of a machine have their own."""
    here = boot_id(), _namespace()
    return None not in here and here == (holder.get("boot"), holder.get("namespace"))


def _is_running(holder: Mapping[str, Any]) -> bool:
    pid = holder.get("pid")
    return isinstance(pid, int) and _began(pid) is not None and _began(pid) == holder.get("pid_began")


def _namespace() -> str | None:
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    return None


def _began(pid: int) -> str | None:
    """When a process began, in clock ticks since boot (proc(5), field 22 of /proc/PID/stat); None if there is none."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]  # Z: ended, and its parent has not noticed yet
    return None

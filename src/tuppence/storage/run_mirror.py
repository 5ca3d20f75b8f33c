"""Mirrors a run to a store beside training, and brings it back on another machine.

One thread writes the ledger every few seconds (`lease`), another one sends what is new: run.yaml once, then logs, then
checkpoints with their manifest last, then the result, and then run.yaml again, which says that it is done. Training
writes its local files as always and never waits for these threads; only the end of a run waits until everything has
arrived (`flush`).

A checkpoint is removed from the store when it was pruned locally, and only after the newest local one was read back
from the store. The local rule never prunes the best and the last. A checkpoint that was set aside locally is removed at
once, because a new machine would continue from it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tuppence.core import console
from tuppence.core.errors import CorruptFileError, InputError, TuppenceError
from tuppence.core.files import write_bytes
from tuppence.core.run import Run
from tuppence.storage.checksums import verify_checksums
from tuppence.storage.lease import Lease, LostLeaseError, last_rows
from tuppence.storage.mirror import Mirror
from tuppence.storage.store import RemoteStore
from tuppence.storage.upload_time import ASSUMED_BYTES_PER_SECOND, SIGTERM_SECONDS, save_time

LEDGER_SECONDS = 5.0
"""Between two writes of the ledger. A killed attempt is charged for this long after its last line (`cost.ledger`)."""
POLL_SECONDS = 0.25
AGAIN_SECONDS = 2.0
"""After an upload that failed."""
LOG_SECONDS = 15.0
"""Between two uploads of logs, if there is no new checkpoint."""
_FIRST_BYTES_PER_SECOND = ASSUMED_BYTES_PER_SECOND / 5
"""Assumed for the reserve of a run's limits before anything was measured: a slow line."""
_SMALL_FILES_SECONDS = 1.0
_MANIFEST = "MANIFEST.json"
_STEP = re.compile(r"step-(\d{8,})")
_ASIDE = "set-aside-"
_NAMES = Run(Path())
"""Gives the names of the files in a run."""


class RunMirror:
    """A local run folder and its copy in a store.

    Args:
        local: an empty folder.
        store: the remote run.
        on_lost: called once, in a thread, if another process has taken over the run; by default this process gets
            SIGTERM, which saves locally and ends it.

    Attributes:
        lost: why this process may not write any more; None while it may.
    """

    def __init__(self, local: Path, store: RemoteStore, on_lost: Callable[[], object] | None = None) -> None:
        self.local, self.store = local, store
        self._mirror, self._lease = Mirror(local, store), Lease(store, _NAMES.ledger_file.name)
        self._on_lost = on_lost or (lambda: os.kill(os.getpid(), signal.SIGTERM))
        self._working, self._over = threading.RLock(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._stored: dict[str, set[str]] = {}  # step → its files in the store
        self._own: set[str] = set()  # steps whose files in the store are those of the local folder
        self._verified: set[str] = set()  # those of them that were read back
        self._log_sent_at, self._has_run_file, self._lines = -LOG_SECONDS, False, 0
        self._told: set[str] = set()
        self.lost: str | None = None

    # ---- the life of an attempt ------------------------------------------------------------------------------

    def begin(self) -> None:
        """Takes the ledger, restores the run from the store, and starts the threads.

        Raises:
            InputError: another process trains this run, or the remote folder holds something else.
        """
        self._list()
        rows = self._lease.acquire()
        self._lines = rows.count(b"\n")
        try:
            if rows:
                write_bytes(self.local / _NAMES.ledger_file.name, rows)
            self._restore(self._list())  # again: the holder before may have written while we waited for it
        except BaseException:
            with contextlib.suppress(TuppenceError):
                self._release(b"" if self._lease.was_new else rows)
            raise
        for work in (self._keep_ledger, self._keep_files):
            thread = threading.Thread(target=work, name="mirror", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _list(self) -> dict[str, int]:
        """Returns the names and sizes of the remote files.

        Raises:
            InputError: they are not those of a run.
        """
        entries = {entry.name: entry.size for entry in self._mirror.listed()}
        self._has_run_file = _NAMES.run_file.name in entries
        if set(entries) - {_NAMES.ledger_file.name} and not self._has_run_file:
            raise InputError(f"{self.store.url} is not empty and holds no run", "choose another --out")
        return entries

    def flush(self, *, verify: bool = True) -> None:
        """Sends everything that is new and waits until it has arrived.

        Args:
            verify: whether to read it back too.

        Raises:
            AwsError: the store cannot be reached.
            LostLeaseError: another process has taken over the run.
        """
        self._require_lease()
        self._pass(logs=True, verify=verify)

    def end(self, *, send: bool = True, verify: bool = True) -> None:
        """Ends the threads, sends the rest, and releases the ledger.

        Args:
            send: whether anything is sent but the ledger.
            verify: whether what was sent is read back.

        Raises:
            AwsError: the store cannot be reached.
            LostLeaseError: another process has taken over the run.
        """
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._require_lease()
        has_run = (self.local / _NAMES.run_file.name).exists()
        if has_run and send:
            self._pass(logs=True, verify=verify)
        rows = last_rows(self.local / _NAMES.ledger_file.name)
        self._release(rows)

    def _release(self, rows: bytes) -> None:
        if not rows and self._lease.was_new:
            self._lease.withdraw()
        else:
            self._lease.renew(rows, release=True)

    # ---- time ------------------------------------------------------------------------------------------------

    def seconds_for(self, size: int) -> float:
        """Expected seconds to send `size` more bytes and to read them back, with what is not sent yet."""
        speed = self._mirror.bytes_per_second or _FIRST_BYTES_PER_SECOND
        with contextlib.suppress(OSError):
            size += sum(_size_of(self.local / _NAMES.checkpoints.name / step) for step in self._new_steps())
        return 1.25 * 2 * size / speed + _SMALL_FILES_SECONDS

    def facts(self, parameters: int, trained_parameters: int | None = None) -> dict[str, Any]:
        """What run.yaml records about the uploads: place, bytes, speed, and the time to save after SIGTERM."""
        speed = self._mirror.bytes_per_second
        time_to_save = save_time(parameters, trained_parameters=trained_parameters, bytes_per_second=speed)
        return {
            "place": self.store.url,
            "bytes": self._mirror.bytes_sent,
            "bytes_per_second": None if speed is None else round(speed),
            "seconds_to_save": round(time_to_save.seconds, 1),
            "saves_within_sigterm": time_to_save.fits,
            "sigterm_seconds": SIGTERM_SECONDS,
        }

    # ---- the threads -----------------------------------------------------------------------------------------

    def _keep_ledger(self) -> None:
        """Writes the ledger every few seconds, and as soon as it has a line of this attempt.

        Stops the process if it cannot.
        """
        known, path = self._lines, self.local / _NAMES.ledger_file.name
        while not self._over.wait(POLL_SECONDS):
            try:
                rows = last_rows(path)
                if rows.count(b"\n") == known and self._lease.seconds_since < LEDGER_SECONDS:
                    continue
                known = rows.count(b"\n")
                self._lease.renew(rows)
            except LostLeaseError as error:
                return self._stop(error.message)
            except (TuppenceError, OSError) as error:
                self._tell(f"the ledger could not be written: {error}")
                self._over.wait(AGAIN_SECONDS)
            if self._lease.seconds_to_stop <= 0:
                return self._stop(f"the ledger of {self.store.url} could not be written for too long")
        return None

    def _stop(self, because: str) -> None:
        self.lost = because
        console.warn(f"{because}: this attempt stops; its files are in {self.local.parent}")
        self._on_lost()

    def _keep_files(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            if self.lost is not None:
                return
            try:
                logs = time.monotonic() - self._log_sent_at >= LOG_SECONDS
                if logs or self._new_steps() or self._asides():
                    self._pass(logs=logs, verify=True)
            except (TuppenceError, OSError) as error:
                self._tell(f"an upload failed and will be repeated: {error}")
                self._over.wait(AGAIN_SECONDS)

    def _tell(self, message: str) -> None:
        """Prints a warning once."""
        if message not in self._told:
            self._told.add(message)
            console.warn(message)

    # ---- one pass --------------------------------------------------------------------------------------------

    def _pass(self, *, logs: bool, verify: bool) -> None:
        with self._working:
            self._remove_set_aside()
            steps = self._new_steps()
            if logs or steps:  # the logs before a checkpoint, which says how long they were
                self._send_logs(verify=verify)
            if steps:  # what was spent on a checkpoint is in the store before it
                self._lease.renew(last_rows(self.local / _NAMES.ledger_file.name))
            for step in reversed(steps):
                self._require_lease()
                self._send_step(step)
            if logs:
                self._send_results(verify=verify)
            if verify:
                self._verify_steps()
                self._prune()

    def _send_logs(self, *, verify: bool) -> None:
        apart = {_NAMES.checkpoints.name, _NAMES.ledger_file.name, _NAMES.run_file.name}
        apart |= {_NAMES.model.name, _NAMES.adapter.name}
        names = list(self._mirror.local_names(skip=lambda name: name in apart))
        if not self._has_run_file:  # first of all: without it, a folder is no run
            self._send_run_file()
        self._mirror.send(names)
        if verify:
            self._mirror.verify(names)
        self._log_sent_at = time.monotonic()

    def _send_results(self, *, verify: bool) -> None:
        """Sends the model and the adapter, and then run.yaml, which says that they are done."""
        for folder in (_NAMES.model.name, _NAMES.adapter.name):
            names = list(self._mirror.local_names(folder))
            self._mirror.send(names)
            if verify:
                self._mirror.verify(names)
            self._mirror.remove(self._mirror.gone(folder))
        self._send_run_file()

    def _send_run_file(self) -> None:
        name = _NAMES.run_file.name
        if (self.local / name).exists():
            self._mirror.send([name])
            self._has_run_file = True

    def _send_step(self, step: str) -> None:
        """Sends a checkpoint, its manifest last."""
        folder = f"{_NAMES.checkpoints.name}/{step}"
        if step in self._stored:  # another checkpoint of this step, which is not loaded: damaged, or left over
            self._mirror.remove(f"{folder}/{name}" for name in self._stored.pop(step))
        names = list(self._mirror.local_names(folder))
        self._mirror.send(names)
        if (self.local / folder / _MANIFEST).exists():  # else it was pruned while it was sent
            self._stored[step] = {name.removeprefix(f"{folder}/") for name in names}
            self._verified.discard(step)
            self._own.add(step)
        else:
            self._mirror.remove(names)

    def _verify_steps(self) -> None:
        for step in self._local_steps():
            if step in self._own and step not in self._verified:
                folder = f"{_NAMES.checkpoints.name}/{step}"
                self._mirror.verify(f"{folder}/{name}" for name in sorted(self._stored[step]))
                self._verified.add(step)

    def _prune(self) -> None:
        """Removes checkpoints from the store that the local folder no longer has."""
        local = self._local_steps()
        if not local or local[-1] not in self._verified:
            return
        for step in sorted(set(self._stored) - set(local)):
            self._require_lease()
            self._remove_step(step)

    def _remove_set_aside(self) -> None:
        for step in self._asides():
            self._remove_step(step)

    def _remove_step(self, step: str) -> None:
        folder = f"{_NAMES.checkpoints.name}/{step}"
        names = self._stored[step]
        self._mirror.remove(f"{folder}/{name}" for name in names)
        del self._stored[step]
        self._verified.discard(step)
        self._own.discard(step)

    def _asides(self) -> list[str]:
        """Steps that were set aside locally, are in the store, and were not made again."""
        with contextlib.suppress(FileNotFoundError):
            aside = [path.name.removeprefix(_ASIDE) for path in self._folder.iterdir() if path.name.startswith(_ASIDE)]
            return [step for step in aside if step in self._stored and not (self._folder / step).exists()]
        return []

    def _new_steps(self) -> list[str]:
        """Complete local checkpoints that the store does not have, oldest first."""
        return [step for step in self._local_steps() if step not in self._own]

    def _local_steps(self) -> list[str]:
        return sorted(_steps_in(self._folder), key=lambda step: (len(step), step))

    @property
    def _folder(self) -> Path:
        return self.local / _NAMES.checkpoints.name

    def _require_lease(self) -> None:
        if self.lost is None and self._lease.seconds_to_stop <= 0:
            self.lost = f"the ledger of {self.store.url} could not be written for too long"
        if self.lost is not None:
            raise LostLeaseError(self.lost, f"the files of this attempt are in {self.local.parent}")

    # ---- restoring -------------------------------------------------------------------------------------------

    def _restore(self, entries: dict[str, int]) -> None:
        apart = f"{_NAMES.checkpoints.name}/"
        self._mirror.require_room(sum(entries.values()))
        for name in entries:
            if name.startswith(apart):
                _, step, *inside = name.split("/")
                if _STEP.fullmatch(step) and len(inside) == 1:
                    self._stored.setdefault(step, set()).add(inside[0])
            elif name != _NAMES.ledger_file.name:
                self._mirror.fetch(name)
        for step, names in sorted(self._stored.items()):
            if _MANIFEST not in names:
                continue  # it was never complete
            try:
                for name in sorted(names):
                    self._mirror.fetch(f"{apart}{step}/{name}")
                verify_checksums(self._folder / step)
            except CorruptFileError as error:
                console.warn(f"{self.store.url}/{apart}{step} is damaged and is left out: {error.message}")
                shutil.rmtree(self._folder / step, ignore_errors=True)
            else:
                self._own.add(step)
                self._verified.add(step)


def _steps_in(folder: Path) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            if _STEP.fullmatch(path.name) and (path / _MANIFEST).exists():
                yield path.name


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())

"""The run folder: what a training verb writes and every other verb takes.

    RUN/
      run.yaml         resolved config, seed, versions, git commit, fingerprints, status, result
      metrics.jsonl    one JSON object per logged step
      samples.jsonl    what the model wrote while it was trained
      ledger.jsonl     dollars, per attempt
      trained-on.txt   hashes of the prompts it was trained on, where it learned from rows
      checkpoints/     step-00000400/ …
      model/           the result, as a plain Hugging Face folder
      report.html      made by `tuppence report`

Logs are appended line by line; `mark` and `rewind` cut them back to where a checkpoint was taken, so that a resumed
run's log reads like an uninterrupted one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.config import dump_yaml, read_yaml
from tuppence.core.errors import InputError
from tuppence.core.files import explain_disk_errors, write_text

LOGS = ("metrics.jsonl", "samples.jsonl")


@dataclass(frozen=True)
class RunDir:
    """Names and reads the parts of one run folder."""

    path: Path

    @property
    def record_file(self) -> Path:
        return self.path / "run.yaml"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples_file(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def ledger_file(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    def exists(self) -> bool:
        """Whether a run was started here."""
        return self.record_file.is_file()

    def create(self) -> None:
        """Makes the folder.

        Raises:
            InputError: the place holds something that is not a run.
        """
        if self.path.is_dir() and not self.exists() and any(self.path.iterdir()):
            raise InputError(f"{self.path} is not empty and holds no run", "choose another --out")
        with explain_disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def claim(self) -> Callable[[], None]:
        """Keeps a second process from training into this folder; returns what lets go of it again.

        The system lets go by itself when we die, however that happens. Without a file: the folder itself is locked
        (POSIX; elsewhere, and on disks that know no locks, nothing is).

        Raises:
            InputError: another process holds it.
        """
        try:
            import fcntl
        except ImportError:  # Windows
            return lambda: None
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(folder)
            raise InputError(
                f"another process is training {self.path}", "wait for it, or choose another --out"
            ) from error
        except OSError:
            pass  # a network disk without locks
        return lambda: os.close(folder)

    def read_record(self) -> dict[str, Any]:
        """run.yaml as a dictionary.

        Raises:
            InputError: it is damaged, or empty, which no run leaves behind.
        """
        record = read_yaml(self.record_file)
        if not record:
            raise InputError(f"{self.record_file} is empty: the run's record is lost", "restore it from a copy")
        return record

    def update_record(self, **changes: Any) -> None:
        """Writes run.yaml again with `changes` on top, complete or absent."""
        record = self.read_record() if self.exists() else {}
        write_text(self.record_file, dump_yaml({**record, **changes}))

    @staticmethod
    def named(record: Mapping[str, Any], what: str) -> str | None:
        """The path of what a record names ("base", "data"), as it stands there; None where it names none."""
        value = record.get(what)
        path = value.get("path") if isinstance(value, dict) else None
        return path if isinstance(path, str) else None

    def find(self, named: str) -> Path | None:
        """A file or folder that the record names, wherever we are: as it stands there, or as seen from a folder above
        the run. None where it is gone."""
        for place in (Path(), *self.path.resolve().parents):
            if (place / named).exists():
                return place / named
        return None

    def mark(self) -> dict[str, int]:
        """The present size in bytes of each log, made durable; kept in a checkpoint for `rewind`."""
        sizes = {}
        for name in LOGS:
            log = self.path / name
            sizes[name] = log.stat().st_size if log.exists() else 0
            if log.exists():
                with log.open("rb") as handle:
                    os.fsync(handle.fileno())
        return sizes

    def rewind(self, sizes: dict[str, int]) -> None:
        """Cuts each log back to the size `mark` gave; a shorter log is left as it is."""
        for name in LOGS:
            log, size = self.path / name, sizes.get(name, 0)
            if log.exists() and log.stat().st_size > size:
                os.truncate(log, size)


def append_json(path: Path, row: dict[str, Any]) -> None:
    """Appends one JSON line in a single write."""
    with explain_disk_errors(path), path.open("ab") as log:
        log.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole JSON objects of a log; a torn last line, as a kill leaves it, is passed over."""
    if not path.exists():
        return
    with path.open("rb") as log:
        for line in log:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def git_commit() -> str | None:
    """The commit of the checkout that we run from, with "+changes" where it was edited; None outside one."""
    here = Path(__file__).resolve().parent
    try:
        ours = subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name], cwd=here, capture_output=True, timeout=10
        )
        if ours.returncode != 0:  # installed inside some other project's checkout
            return None
        describe = ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
        found = subprocess.run(describe, cwd=here, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None

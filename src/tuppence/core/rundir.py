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
      .lock            while a process trains, or was killed

Logs are appended line by line; `mark` and `rewind` cut them back to the step of a checkpoint, so that a resumed run's
log reads like an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.config import dump_yaml, read_yaml
from tuppence.core.errors import InputError
from tuppence.core.files import encode_json, explain_disk_errors, fsync_file, write_text
from tuppence.core.locks import NAME as LOCK
from tuppence.core.locks import lock_folder
from tuppence.core.numbers import finite_or_none
from tuppence.core.temporary import is_temporary, remove_litter

LOGS = ("metrics.jsonl", "samples.jsonl")
LOCKED_NAMES = ("run.yaml", "model", "adapter")
"""What the holder of the lock alone writes anew."""


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
        begun = (LOCK, self.ledger_file.name)  # what a process leaves that was killed before it wrote run.yaml
        if self.path.is_dir() and not self.exists():
            others = [path for path in self.path.iterdir() if path.name not in begun and not is_temporary(path)]
        else:
            others = []
        if others:
            raise InputError(f"{self.path} is not empty and holds no run", "choose another --out")
        with explain_disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def claim(self) -> Callable[[], None]:
        """Keeps a second process from training into this folder, and cleans up what a killed one left half-written.

        Returns:
            A function that releases the folder; the system does it too when the process dies.

        Raises:
            InputError: another process holds it.
        """
        release = lock_folder(self.path, "training")
        for name in LOCKED_NAMES:
            remove_litter(self.path, name, locked=True)
        remove_litter(self.path)
        return release

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
            with contextlib.suppress(OSError):  # in a folder that others have closed
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
                fsync_file(log)
        return sizes

    def rewind(self, sizes: dict[str, int], step: int) -> None:
        """Cuts each log back to the size `mark` gave; a shorter log is left as it is.

        What was logged for `step` itself right behind the mark stays: a checkpoint is written before it is evaluated.
        """
        for name in LOGS:
            log, size = self.path / name, sizes.get(name, 0)
            if log.exists() and log.stat().st_size > size:
                os.truncate(log, size + sum(len(line) for line, _ in self._logged_behind(name, size, step)))

    def evaluation_behind(self, sizes: dict[str, int], step: int) -> dict[str, Any] | None:
        """The row of an evaluation of `step` that was logged right behind `mark`; None where there is none."""
        rows = [row for _, row in self._logged_behind("metrics.jsonl", sizes.get("metrics.jsonl", 0), step)]
        return next((row for row in rows if "val_loss" in row), None)

    def _logged_behind(self, name: str, size: int, step: int) -> list[tuple[bytes, dict[str, Any]]]:
        """The whole lines behind the first `size` bytes of a log, up to the first of another step."""
        found: list[tuple[bytes, dict[str, Any]]] = []
        log = self.path / name
        if not log.exists():
            return found
        with log.open("rb") as lines:
            lines.seek(size)
            for line in lines:
                try:
                    row = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    row = None
                if not isinstance(row, dict) or row.get("step") != step:
                    break
                found.append((line, row))
        return found


def append_json(path: Path, row: dict[str, Any]) -> None:
    """Appends one JSON line in a single write; NaN and infinity become null.

    A last line that a kill or a full disk tore is closed first, so that the new one can be read.
    """
    line = encode_json(finite_or_none(row)) + b"\n"
    with explain_disk_errors(path), path.open("a+b") as log:
        if log.seek(0, os.SEEK_END):
            log.seek(-1, os.SEEK_END)
            if log.read(1) != b"\n":
                line = b"\n" + line
        log.write(line)


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

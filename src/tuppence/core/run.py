"""The run folder: what a training verb writes and every other verb takes. `Run` knows every name in it.

    RUN/
      run.yaml         the run file: resolved config, seed, versions, git commit, fingerprints, status, result
      metrics.jsonl    one JSON object per logged step
      samples.jsonl    texts that the model wrote during training
      ledger.jsonl     dollars, per attempt
      trained-on.txt   hashes of the prompts it was trained on, where it was trained on rows
      held-out.jsonl   the rows that were not trained on; with the answers to them after an alignment
      splits/          training.jsonl, validation.jsonl, test.jsonl of a classifier
      checkpoints/     step-00000400/ …
      model/           the result, as a plain Hugging Face folder
      adapter/         the LoRA adapter in PEFT's layout, where one was trained
      evaluation.json  numbers by task, from `tuppence evaluate`
      evaluation/      TASK.jsonl: the results of each task row by row
      tensorboard/     with --track tensorboard
      report.html      from `tuppence report`
      .lock            while a process trains here, or after it was killed

Logs are appended line by line; `mark` and `rewind` cut them back to the step of a checkpoint, so that a resumed run's
log reads like an uninterrupted one. What is inside model/, adapter/ and a checkpoint is known where it is written.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuppence.core.config import dump_yaml, read_yaml
from tuppence.core.errors import InputError
from tuppence.core.files import explain_disk_errors, write_text
from tuppence.core.json_lines import lines_of_step, size_on_disk
from tuppence.core.locks import NAME as LOCK
from tuppence.core.locks import lock_folder
from tuppence.core.temporary import is_temporary, remove_litter


@dataclass(frozen=True)
class Run:
    """Names and reads the parts of one run folder.

    Attributes:
        path: the folder; nothing need be there.
    """

    path: Path

    @classmethod
    def of(cls, place: Path | str) -> Run:
        """The run that a person means by a folder: RUN itself, or RUN where the folder is RUN/model."""
        run = cls(Path(place))
        if run.path.name == run.model.name and not run.exists():
            parent = cls(run.path.resolve().parent)
            return parent if parent.exists() else run
        return run

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> Run:
        """The run that a checkpoint is of."""
        return cls(checkpoint.resolve().parent.parent)

    # ---- the names -------------------------------------------------------------------------------------------

    @property
    def run_file(self) -> Path:
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
    def trained_on_file(self) -> Path:
        return self.path / "trained-on.txt"

    @property
    def held_out_file(self) -> Path:
        return self.path / "held-out.jsonl"

    @property
    def splits(self) -> Path:
        return self.path / "splits"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def evaluation_file(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def row_logs(self) -> Path:
        return self.path / "evaluation"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    def split_file(self, part: str) -> Path:
        """The rows of one part of a classifier's data: "training", "validation" or "test"."""
        return self.splits / f"{part}.jsonl"

    def row_log(self, task: str) -> Path:
        """The results of an evaluation task row by row."""
        return self.row_logs / f"{task}.jsonl"

    @property
    def _logs(self) -> tuple[Path, ...]:
        """Those that `rewind` cuts back. The ledger is not among them: what was spent stays spent."""
        return self.metrics_file, self.samples_file

    # ---- a place to train in ---------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether a run was started here."""
        return self.run_file.is_file()

    def has_model(self) -> bool:
        """Whether RUN/model was written. It is complete or absent."""
        return (self.model / "config.json").is_file()

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
        """Keeps a second process from training in this folder, and removes what a killed one left half-written.

        Returns:
            A function that releases the folder; the system does it too when the process dies.

        Raises:
            InputError: another process holds it.
        """
        release = lock_folder(self.path, "training")
        for written_under_lock in (self.run_file, self.model, self.adapter):
            remove_litter(self.path, written_under_lock.name, locked=True)
        remove_litter(self.path)
        return release

    # ---- the run file ----------------------------------------------------------------------------------------

    def read(self) -> dict[str, Any]:
        """run.yaml as a dictionary.

        Raises:
            InputError: it is missing, damaged, or empty, which no run leaves behind.
        """
        content = read_yaml(self.run_file)
        if not content:
            raise InputError(f"{self.run_file} is empty: the run's record is lost", "restore it from a copy")
        return content

    def read_tolerantly(self, problems: list[str]) -> Mapping[str, Any]:
        """run.yaml as far as it can be read: {} where it is missing or damaged.

        Args:
            problems: gets one line where it is damaged.
        """
        if not self.exists():
            return {}
        try:
            content = yaml.safe_load(self.run_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            problems.append(f"{self.run_file.name} could not be read")
            return {}
        if not isinstance(content, Mapping):
            problems.append(f"{self.run_file.name} holds no settings")
            return {}
        return content

    def update(self, **changes: Any) -> None:
        """Writes run.yaml again with `changes` on top, complete or absent."""
        content = self.read() if self.exists() else {}
        write_text(self.run_file, dump_yaml({**content, **changes}))

    # ---- what it came from -----------------------------------------------------------------------------------

    def lineage(self, find: Callable[[Run, str], Path | None] | None = None) -> Iterator[tuple[Run, dict[str, Any]]]:
        """This run with its run file, then the run that it started from, and so on to the first.

        It ends where a base is no run, where none is at the place that the run file names, or where a run file is
        damaged.

        Args:
            find: the folder of a base, from the run and the name of the base in its run file; `Run.find` by default.
        """
        find = find or Run.find
        run: Run | None = self
        seen: set[Path] = set()
        while run is not None and run.exists() and run.path.resolve() not in seen:
            seen.add(run.path.resolve())
            try:
                content = run.read()
            except InputError:
                return
            yield run, content
            named = run.named(content, "base")
            base = None if named is None else find(run, named)
            run = None if base is None else Run.of(base)

    @staticmethod
    def named(content: Mapping[str, Any], what: str) -> str | None:
        """The path of an input ("base", "data") as a run file has it; None where it names none."""
        value = content.get(what)
        path = value.get("path") if isinstance(value, dict) else None
        return path if isinstance(path, str) else None

    def find(self, named: str) -> Path | None:
        """A file or folder that the run file names, from any working directory: as named, or as seen from a folder
        above the run. None where it is gone."""
        for place in (Path(), *self.path.resolve().parents):
            with contextlib.suppress(OSError):  # in a folder that others have closed
                if (place / named).exists():
                    return place / named
        return None

    # ---- logs ------------------------------------------------------------------------------------------------

    def mark(self) -> dict[str, int]:
        """The present size in bytes of each log, made durable; kept in a checkpoint for `rewind`."""
        return {log.name: size_on_disk(log) for log in self._logs}

    def rewind(self, sizes: Mapping[str, int], step: int) -> None:
        """Cuts each log back to the size that `mark` gave; a shorter log is left as it is.

        What was logged for `step` itself right after the mark stays: a checkpoint is written before its evaluation.
        """
        for log in self._logs:
            size = sizes.get(log.name, 0)
            if log.exists() and log.stat().st_size > size:
                os.truncate(log, size + sum(len(line) for line, _ in lines_of_step(log, size, step)))

    def evaluation_after(self, sizes: Mapping[str, int], step: int) -> dict[str, Any] | None:
        """The row of an evaluation of `step` that was logged right after `mark`; None where there is none."""
        rows = [row for _, row in lines_of_step(self.metrics_file, sizes.get(self.metrics_file.name, 0), step)]
        return next((row for row in rows if "val_loss" in row), None)

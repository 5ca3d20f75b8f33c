"""The run folder, which training verbs write and other verbs read. `Run` defines all names in it.

    RUN/
      run.yaml         the run file: complete config, seed, versions, git commit, fingerprints, status, result
      metrics.jsonl    one JSON object per logged step
      samples.jsonl    texts that the model generated during training
      ledger.jsonl     dollars, per attempt
      trained-on.txt   hashes of the training prompts, if the model was trained on rows
      held-out.jsonl   the rows that were not used for training; after an alignment with the model's answers
      splits/          training.jsonl, validation.jsonl, test.jsonl of a classifier
      checkpoints/     step-00000400/ …
      model/           the result, as a plain Hugging Face folder
      adapter/         the LoRA adapter in PEFT's layout, if one was trained
      evaluation.json  metrics by task, from `tuppence evaluate`
      evaluation/      TASK.jsonl: the results of each row of a task
      tensorboard/     with --track tensorboard
      mlflow.json      with --track mlflow: which run of the MLflow server it is
      report.html      from `tuppence report`
      .lock            exists while a process trains here, or after it was killed

Logs are appended line by line. `mark` and `rewind` truncate them to the step of a checkpoint, so that the log of a
resumed run equals that of an uninterrupted one. The modules that write model/, adapter/ and checkpoints define their
content.
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
    """Gives the paths of one run folder, and reads and writes its files.

    Attributes:
        path: the folder; it may not exist yet.
    """

    path: Path

    @classmethod
    def of(cls, place: Path | str) -> Run:
        """Returns the run of a folder that the user named, which can be RUN or RUN/model."""
        run = cls(Path(place))
        if run.path.name == run.model.name and not run.exists():
            parent = cls(run.path.resolve().parent)
            return parent if parent.exists() else run
        return run

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> Run:
        """Returns the run of a checkpoint."""
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
    def weights(self) -> Path:
        return self.model / "model.safetensors"

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
    def mlflow_file(self) -> Path:
        return self.path / "mlflow.json"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    def split_file(self, part: str) -> Path:
        """Returns the file with the rows of one split of a classifier's data: "training", "validation" or "test"."""
        return self.splits / f"{part}.jsonl"

    def row_log(self, task: str) -> Path:
        """Returns the file with the results of each row of an evaluation task."""
        return self.row_logs / f"{task}.jsonl"

    @property
    def _logs(self) -> tuple[Path, ...]:
        """The logs that `rewind` truncates. The ledger is not truncated, because the money was spent."""
        return self.metrics_file, self.samples_file

    # ---- a place to train in ---------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether a run was started here."""
        return self.run_file.is_file()

    def has_model(self) -> bool:
        """Whether RUN/model was written. It is complete or absent."""
        return (self.model / "config.json").is_file()

    def create(self) -> None:
        """Creates the folder.

        Raises:
            InputError: the folder has files but is not a run.
        """
        begun = (LOCK, self.ledger_file.name)  # left by a process that was killed before it wrote run.yaml
        if self.path.is_dir() and not self.exists():
            others = [path for path in self.path.iterdir() if path.name not in begun and not is_temporary(path)]
        else:
            others = []
        if others:
            raise InputError(f"{self.path} is not empty and holds no run", "choose another --out")
        with explain_disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def claim(self) -> Callable[[], None]:
        """Locks this folder against other training processes, and removes incomplete files of killed ones.

        Returns:
            A function that releases the lock. The system releases it too when the process ends.

        Raises:
            InputError: another process holds the lock.
        """
        release = lock_folder(self.path, "training")
        for written_under_lock in (self.run_file, self.model, self.adapter):
            remove_litter(self.path, written_under_lock.name, locked=True)
        remove_litter(self.path)
        return release

    # ---- the run file ----------------------------------------------------------------------------------------

    def read(self) -> dict[str, Any]:
        """Returns run.yaml as a dictionary.

        Raises:
            InputError: the file is missing, damaged or empty. No run writes an empty file.
        """
        content = read_yaml(self.run_file)
        if not content:
            raise InputError(f"{self.run_file} is empty: its content is lost", "restore it from a copy")
        return content

    def read_tolerantly(self, problems: list[str]) -> Mapping[str, Any]:
        """Returns run.yaml, or {} if it is missing or damaged.

        Args:
            problems: a message is appended if the file is damaged.
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
        """Replaces keys of run.yaml by `changes`. The file is written atomically."""
        content = self.read() if self.exists() else {}
        write_text(self.run_file, dump_yaml({**content, **changes}))

    # ---- what it came from -----------------------------------------------------------------------------------

    def lineage(self, find: Callable[[Run, str], Path | None] | None = None) -> Iterator[tuple[Run, dict[str, Any]]]:
        """Yields this run and its run file, then the same for its base, for the base of the base, and so on.

        Stops at a base that is not a run or does not exist, and at a damaged run file.

        Args:
            find: returns the folder of a base, given the run and the path of the base in its run file; by default
                `Run.find`.
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
        """Returns the path of an input ("base", "data") in a run file; None if the run file has none."""
        value = content.get(what)
        path = value.get("path") if isinstance(value, dict) else None
        return path if isinstance(path, str) else None

    def find(self, named: str) -> Path | None:
        """Finds a file or folder that the run file names, from any working directory.

        A relative path is tried from the working directory, then from each folder above the run. Returns None if
        nothing is found.
        """
        for place in (Path(), *self.path.resolve().parents):
            with contextlib.suppress(OSError):  # a folder without permission to read
                if (place / named).exists():
                    return place / named
        return None

    # ---- logs ------------------------------------------------------------------------------------------------

    def mark(self) -> dict[str, int]:
        """Flushes the logs to the disk and returns their sizes in bytes. A checkpoint keeps them for `rewind`."""
        return {log.name: size_on_disk(log) for log in self._logs}

    def rewind(self, sizes: Mapping[str, int], step: int) -> None:
        """Truncates each log to the size that `mark` returned. A shorter log is unchanged.

        Lines of `step` itself right after that size are kept, because a checkpoint is written before its evaluation.
        """
        for log in self._logs:
            size = sizes.get(log.name, 0)
            if log.exists() and log.stat().st_size > size:
                os.truncate(log, size + sum(len(line) for line, _ in lines_of_step(log, size, step)))

    def evaluation_after(self, sizes: Mapping[str, int], step: int) -> dict[str, Any] | None:
        """Returns the evaluation of `step` that was logged right after `mark`; None if there is none."""
        rows = [row for _, row in lines_of_step(self.metrics_file, sizes.get(self.metrics_file.name, 0), step)]
        return next((row for row in rows if "val_loss" in row), None)

"""Reads the files of a run folder, for reports and figures.

The run can be still training, killed in the middle of a line, or made by an older version. Missing files are left out,
damaged ones are named in `problems`, and only a folder that is not a run is an error. Writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuppence.core import files
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.json_lines import read_json_lines_tolerantly
from tuppence.core.run import Run
from tuppence.storage import stage_run

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RunData:
    """The content of a run folder.

    Attributes:
        folder: of the run.
        meta: run.yaml.
        metrics: metrics.jsonl, one row for each step, ascending. If a resumed run logged a step again, it has the
            later values.
        samples: samples.jsonl, as logged.
        ledger: ledger.jsonl, as logged.
        evaluation: evaluation.json, without results of other weights than those in RUN/model.
        problems: one line for each file that could not be read in full.
    """

    folder: Path
    meta: Row = field(default_factory=dict)
    metrics: Sequence[Row] = ()
    samples: Sequence[Row] = ()
    ledger: Sequence[Row] = ()
    evaluation: Row = field(default_factory=dict)
    problems: Sequence[str] = ()

    def get(self, *keys: str) -> Any:
        """Returns the value at a path of keys in run.yaml; None if there is none.

        Example:
            >>> RunData(Path("run"), meta={"result": {"steps": 400}}).get("result", "steps")
            400
        """
        return value_at(self.meta, *keys)

    def number(self, *keys: str) -> float | None:
        """Like `get`; None if the value is not a finite number."""
        return finite(self.get(*keys))


def read_run(folder: str | Path) -> RunData:
    """Reads a run folder.

    Raises:
        InputError: there is no such folder, or it is not a run's.
    """
    folder = stage_run(folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "name a run: the --out of a training verb")
    run = Run(folder)
    if not (run.exists() or run.metrics_file.is_file()):
        raise InputError(f"{folder} is not a run: it has no run.yaml", "name the --out of a training verb")
    problems: list[str] = []
    return RunData(
        folder=folder,
        meta=run.read_tolerantly(problems),
        metrics=by_step(read_json_lines_tolerantly(run.metrics_file, problems)),
        samples=read_json_lines_tolerantly(run.samples_file, problems),
        ledger=read_json_lines_tolerantly(run.ledger_file, problems),
        evaluation=_of_this_model(run, problems),
        problems=problems,
    )


def value_at(values: Mapping[str, Any], *keys: str) -> Any:
    """Returns the value at a path of keys; None if there is none."""
    value: Any = values
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def by_step(rows: Sequence[Row]) -> list[Row]:
    """Returns one row for each step, ascending. Later values of a step replace earlier ones."""
    steps: dict[int, dict[str, Any]] = {}
    for row in rows:
        step = finite(row.get("step"))
        if step is not None:
            steps.setdefault(int(step), {}).update(row)
    return [steps[step] for step in sorted(steps)]


def series(metrics: Sequence[Row], key: str) -> tuple[list[float], list[float]]:
    """Returns the steps at which `key` was logged as a finite number, and its values.

    Example:
        >>> series([{"step": 1, "loss": 9.0}, {"step": 2}, {"step": 3, "loss": 8.5}], "loss")
        ([1.0, 3.0], [9.0, 8.5])
    """
    pairs = [(finite(row.get("step")), finite(row.get(key))) for row in metrics]
    known = [(step, value) for step, value in pairs if step is not None and value is not None]
    return [step for step, _ in known], [value for _, value in known]


def last(rows: Sequence[Row], key: str) -> float | None:
    """Returns the newest finite number that was logged under `key`; None if there is none."""
    return next((value for row in reversed(rows) if (value := finite(row.get(key))) is not None), None)


def finite(value: Any) -> float | None:
    """Returns the value as a float if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _results(path: Path, problems: list[str]) -> Row:
    if not path.is_file():
        return {}
    try:
        content = files.read_json(path)
    except (CorruptFileError, OSError, ValueError, RecursionError):
        problems.append(f"{path.name} could not be read")
        return {}
    if not isinstance(content, Mapping):
        problems.append(f"{path.name} holds no results")
        return {}
    return content


def _of_this_model(run: Run, problems: list[str]) -> Row:
    """Returns the results in evaluation.json of the weights in RUN/model. Others are left out, with a problem."""
    path, model = run.evaluation_file, run.weights
    folder, results = run.path, _results(path, problems)
    named = {task: one["weights"] for task, one in results.items() if isinstance(one, Mapping) and "weights" in one}
    if len(named) < len(results) and model.is_file() and model.stat().st_mtime > path.stat().st_mtime:
        problems.append(f"{path.name} does not say which weights it scored, and {folder.name}/model is newer")
    current = _fingerprint(folder) if named else None
    stale = [task for task, weights in named.items() if weights != current]
    if stale:
        problems.append(
            f"{path.name}: {', '.join(stale)} scored other weights than {folder.name}/model has now: left out;"
            " 'tuppence evaluate' scores these"
        )
    return {task: one for task, one in results.items() if task not in stale}


def _fingerprint(folder: Path) -> str | None:
    """Returns the fingerprint of a run's weights; None if they cannot be read."""
    from tuppence.model.weights import fingerprint  # imports torch, which most reports do not need

    try:
        return fingerprint(folder)
    except (InputError, OSError):
        return None

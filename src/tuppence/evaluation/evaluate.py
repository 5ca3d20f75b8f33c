"""The entry point of evaluation: takes runs and names of tasks, returns metrics by task.

Called by `tuppence evaluate`, by the quickstart and at the end of a classifier's training. A new benchmark is a file in
`tasks` and a line in `tasks.TASKS`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuppence.core import console, files
from tuppence.core.environment import Precision
from tuppence.core.errors import InputError
from tuppence.core.outputs import refuse_unwritable
from tuppence.core.run import Run
from tuppence.data.bad_rows import BadRowError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.lm_eval.tasks import PREFIX, lm_eval_tasks
from tuppence.evaluation.rows.files import bad_row, find_file
from tuppence.evaluation.statistics.comparison import compare
from tuppence.evaluation.task import Metrics, Task, TaskResult
from tuppence.evaluation.tasks import TASKS
from tuppence.model.loaded import Kind, ModelInfo, inspect, load
from tuppence.storage import is_remote, location_of, output_path, stage

__all__ = [
    "DEFAULT_TASKS",
    "TASKS",
    "WEIGHTS",
    "EvalConfig",
    "check_tasks",
    "evaluate",
    "evaluate_several",
]

WEIGHTS = "weights"
"""Key in a task's metrics: the fingerprint of the weights that were scored (`model.weights.fingerprint`)."""


def evaluate(
    folder: str | Path,
    tasks: Sequence[str] | None = None,
    config: EvalConfig | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    out: str | Path | None = None,
    on_result: Callable[[str, Metrics], None] | None = None,
) -> dict[str, Metrics]:
    """Runs tasks on a model. Writes evaluation.json and the row logs if `folder` is a run or `out` is given.

    Args:
        folder: a run, or a Hugging Face GPT-2 folder with its tokenizer.
        tasks: names from `TASKS`, and names of lm-eval's tasks with the prefix `lm_eval:`; by default the tasks of
            `DEFAULT_TASKS` for the kind of model.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        precision: `auto`, `bf16`, `fp16` or `float32`. For tasks of lm-eval `auto` is float32, as in its `hf` backend.
        out: the folder of evaluation.json and the row logs; by default the run itself. For a folder that is not a run,
            nothing is written by default.
        on_result: called with the name and the metrics of each task before the next task begins.

    Returns:
        Task name → metrics.

    Raises:
        InputError: a task is unknown, there is no model or no data, or the options do not fit the task.
    """
    place = _writable(out)
    if tasks is not None:
        check_tasks(tasks)
    results = _results(inspect(folder), tasks, config or EvalConfig(), device, precision, place, on_result)
    return {task: result.metrics for task, result in results.items()}


def evaluate_several(
    folders: Sequence[str | Path],
    tasks: Sequence[str] | None = None,
    config: EvalConfig | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Evaluates several runs on the same tasks, one after the other, and compares each with the first.

    Returns:
        `{"runs": {name: {task: metrics}}, "comparison": …}`, see `compare` and `names_of`.

    Raises:
        InputError: as in `evaluate`; or a run is given twice, or the models are of different kinds.
    """
    out, runs = _writable(out), [inspect(folder) for folder in folders]
    names = names_of([run.folder for run in runs])
    for name, info in zip(names, runs, strict=True):
        if info.kind != runs[0].kind:
            raise InputError(f"{names[0]} is a {runs[0].kind} and {name} a {info.kind}", "compare models of one kind")
    if tasks is not None:
        check_tasks(tasks)
    results: dict[str, dict[str, TaskResult]] = {}
    for name, info in zip(names, runs, strict=True):
        place = out / "-".join(Path(name).parts).lstrip("/-.") if out else None
        results[name] = _results(info, tasks, config or EvalConfig(), device, precision, place, warns=name == names[0])
    compared = {
        "runs": {name: {task: one.metrics for task, one in found.items()} for name, found in results.items()},
        "comparison": compare(results),
    }
    if out is not None:
        files.write_json(out / "comparison.json", compared)
    return compared


def _writable(out: str | Path | None) -> Path | None:
    """Returns the output folder as a path, after a check that something can be written there."""
    if out is None:
        return None
    folder = output_path(out)
    refuse_unwritable(folder, file=False)
    return folder


def names_of(folders: Sequence[Path]) -> list[str]:
    """Returns a name for each run: the name of its folder, or its path if two folders have the same name.

    Example:
        >>> names_of([Path("runs/a"), Path("runs/b")]), names_of([Path("x/run"), Path("y/run")])
        (['a', 'b'], ['x/run', 'y/run'])
    """
    if len(set(folders)) < len(folders):
        raise InputError("a run is given twice", "name each run once")
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [location_of(folder) for folder in folders]


def check_tasks(tasks: Sequence[str]) -> None:
    """Checks the names of tasks, before anything heavy is loaded.

    Raises:
        InputError: a task is unknown, or there is none.
    """
    if not tasks:
        raise InputError("no task was named", f"known tasks: {', '.join(TASKS)}")
    for task in tasks:
        if task not in TASKS and not task.startswith(PREFIX):
            near = difflib.get_close_matches(task, TASKS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"known tasks: {', '.join(TASKS)}"
            raise InputError(f"unknown task {task!r}", hint)


def _results(
    info: ModelInfo,
    tasks: Sequence[str] | None,
    config: EvalConfig,
    device: str,
    precision: str,
    out: Path | None,
    on_result: Callable[[str, Metrics], None] | None = None,
    *,
    warns: bool = True,
) -> dict[str, TaskResult]:
    if config.task_path is not None:
        config = dataclasses.replace(config, task_path=str(stage(config.task_path)))
    chosen = _tasks_named(DEFAULT_TASKS[info.kind] if tasks is None else tasks, config)
    for task, one in chosen.items():
        if one.kind != info.kind:
            raise InputError(f"{info.folder} is a {info.kind}; {task} is for a {one.kind}", "leave out --tasks")
    _check_row_options(chosen, config)
    if warns:
        _warn_of_unused_options(chosen, config)
    config = _with_files(chosen, config)
    loaded = load(info, device, precision)
    in_float32 = dataclasses.replace(loaded, precision=Precision("float32", "as lm-eval's hf backend"))
    if out is None and Run(info.folder).exists():
        if os.access(info.folder, os.W_OK) and not is_remote(location_of(info.folder)):
            out = info.folder
        else:
            console.warn(f"{info.folder} cannot be written to: the metrics are printed and not saved")
    results = {}
    for task, one in chosen.items():
        asked = in_float32 if precision == "auto" and task.startswith(PREFIX) else loaded
        try:
            result = one.run(asked, config, Run(out).row_logs if out else None)
        except BadRowError as error:
            if one.skips_rows:
                raise
            raise bad_row(error.message) from error
        results[task] = dataclasses.replace(result, metrics={**result.metrics, WEIGHTS: info.fingerprint})
        if out is not None:  # after each task, so that a killed evaluation keeps the finished ones
            _keep(Run(out).evaluation_file, {task: results[task].metrics})
        if on_result is not None:
            on_result(task, results[task].metrics)
    return results


def _tasks_named(names: Sequence[str], config: EvalConfig) -> dict[str, Task]:
    """Returns the tasks by name, in the given order; a pattern is replaced by all lm-eval tasks that it matches."""
    found: dict[str, Task] = {}
    for name in names:
        found |= lm_eval_tasks([name], config) if name.startswith(PREFIX) else {name: TASKS[name]}
    return found


def _check_row_options(tasks: Mapping[str, Task], config: EvalConfig) -> None:
    """Raises InputError for options about rows that one of the tasks would ignore."""
    if (config.text_column or config.label_column) and list(tasks) != ["classification"]:
        raise InputError("--text-column and --label-column are for a classifier's file", "leave them out")
    other = next((name for name, task in tasks.items() if config.skip_bad_rows and not task.skips_rows), None)
    if other is not None:
        able = ", ".join(name for name, task in TASKS.items() if task.skips_rows)
        raise InputError(f"{other} reads every row: --skip-bad-rows is for {able}", "leave out --skip-bad-rows")


def _warn_of_unused_options(tasks: Mapping[str, Task], config: EvalConfig) -> None:
    """Warns of options that none of the tasks uses."""
    used = {option for task in tasks.values() for option in task.options} | {"data", "task_data", "data_folder"}
    given = [field.name for field in dataclasses.fields(config) if getattr(config, field.name) != _default(field)]
    unused = [f"--{name.replace('_', '-')}" for name in given if name not in used]
    if unused:
        console.warn(f"{', '.join(unused)}: no effect on {', '.join(tasks)}")


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _with_files(tasks: Mapping[str, Task], config: EvalConfig) -> EvalConfig:
    """Returns the config with the file of every task that reads rows, so that a missing file is found at once."""
    unknown = [task for task in config.task_data if task not in TASKS]
    if unknown:
        raise InputError(f"--task-data names {unknown[0]!r}, which is no task", f"known tasks: {', '.join(TASKS)}")
    readers = [name for name, task in tasks.items() if task.reads_rows]
    named = dict(config.task_data)
    data = config.data
    if data is not None and readers == list(tasks):
        undecided = [task for task in readers if task not in named]
        if len(undecided) > 1:
            raise InputError(
                f"--data {data} could be the file of {' or of '.join(undecided)}",
                "say which: --task-data " + " --task-data ".join(f"{task}=FILE" for task in undecided),
            )
        named |= dict.fromkeys(undecided, data)
    for task in readers:
        named[task] = find_file(task, named.get(task), config.data_folder)
    return dataclasses.replace(config, task_data=named)


def _keep(path: Path, results: dict[str, Metrics]) -> None:
    """Adds results to evaluation.json. Results of other weights are dropped, and a damaged file is replaced."""
    found: Any = {}
    with contextlib.suppress(InputError):
        found = files.read_json(path)
    scored = {numbers[WEIGHTS] for numbers in results.values()}
    earlier = found.items() if isinstance(found, dict) else ()
    kept = {task: one for task, one in earlier if not isinstance(one, dict) or one.get(WEIGHTS) in (None, *scored)}
    files.write_json(path, {**kept, **results})


DEFAULT_TASKS: Mapping[Kind, Sequence[str]] = {
    "language model": ("perplexity",),
    "classifier": ("classification",),
    "reward model": ("reward",),
}
"""Kind of model → the tasks that run if the user names none."""

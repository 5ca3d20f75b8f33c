"""Tasks of lm-eval (EleutherAI's lm-evaluation-harness): `tuppence evaluate RUN --lm-eval hellaswag,gsm8k`.

lm-eval reads a task, makes its requests and computes its metrics (`lm_eval.simple_evaluate`); `adapter` answers the
requests with our model. This module converts names of tasks to `Task` objects, and lm-eval's results to a `TaskResult`.
Called by `evaluate`. lm-eval is imported only if one of its tasks is evaluated.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import json
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tuppence.core import files
from tuppence.core.errors import InputError, MissingExtraError, TuppenceError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.task import Metrics, Scores, Task, TaskResult
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel

PREFIX = "lm_eval:"
"""Prefix of the names of lm-eval's tasks: `lm_eval:hellaswag` is lm-eval's, `hellaswag` is ours."""

OPTIONS = ("limit", "batch_size", "num_fewshot", "task_path", "apply_chat_template")
"""The options of `EvalConfig` that lm-eval's tasks use."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def lm_eval_tasks(patterns: Sequence[str], config: EvalConfig) -> dict[str, Task]:
    """Finds the tasks, groups and tags of lm-eval whose names match.

    Args:
        patterns: names, or patterns with `*`, each with or without `PREFIX`.
        config: its `task_path` is a folder of further task files.

    Raises:
        MissingExtraError: lm-eval is not installed.
        InputError: no task has this name, or a task file cannot be read.

    Returns:
        Name with `PREFIX` → task, in the order of `patterns`.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise MissingExtraError("lm-eval", "eval", "--lm-eval")
    if config.task_path is not None and not Path(config.task_path).is_dir():
        raise InputError(f"--task-path {config.task_path} is not a folder", "name the folder of the task files")
    with _calling_lm_eval("reading its task files"):
        manager = _task_manager(config.task_path)
    found: dict[str, Task] = {}
    for pattern in patterns:
        name = pattern.removeprefix(PREFIX)
        matching = manager.match_tasks([name])
        if not matching:
            near = difflib.get_close_matches(name, manager.all_tasks, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(
                f"lm-eval has no task {name!r}",
                hint + "'lm-eval ls tasks' lists its tasks; --task-path FOLDER adds task files of your own",
            )
        found |= {PREFIX + one: Task(partial(run_task, one), reads_rows=False, options=OPTIONS) for one in matching}
    return found


def run_task(name: str, loaded: LoadedModel[GPT], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Runs a task, group or tag of lm-eval.

    Args:
        name: its name in lm-eval.
        folder: lm-eval's results are written there to `lm-eval-NAME.json`, and the rows to `lm-eval-NAME.jsonl`; None
            writes nothing.

    Raises:
        InputError: lm-eval cannot load or run the task: there is no network for its data, the task file is faulty, or
            a generation option is not implemented.
    """
    from lm_eval import simple_evaluate

    from tuppence.evaluation.lm_eval.adapter import TuppenceLM

    began = time.perf_counter()
    with _calling_lm_eval(f"running {name}"):
        results = simple_evaluate(
            model=TuppenceLM(loaded, config.batch_size),
            tasks=[name],
            num_fewshot=config.num_fewshot,
            batch_size=config.batch_size,
            device=loaded.device,
            limit=config.limit,
            apply_chat_template=config.apply_chat_template,
            task_manager=_task_manager(config.task_path),
        )
    whole = _plain(results)
    rows: Rows = whole.pop("samples", {})
    for machine in ("pretty_env_info", "git_hash", "upper_git_hash"):  # facts about the machine, not about the model
        whole.pop(machine, None)
    if folder is not None:
        stem = "lm-eval-" + (re.sub(r"[^\w.-]+", "-", name).strip(".-") or "task")
        lines = [{"task": task, **row} for task, found in rows.items() for row in found]
        files.write_text(folder / f"{stem}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        files.write_json(folder / f"{stem}.json", whole)
    about: Metrics = {
        "rows": sum(count["effective"] for count in whole["n-samples"].values()),
        "limit": config.limit,
        "num_fewshot": whole["n-shot"].get(name, config.num_fewshot),
        "chat_template": config.apply_chat_template,
        "lm_eval": whole["lm_eval_version"],
        "precision": loaded.precision.name,
        "device": loaded.device,
        "seconds": time.perf_counter() - began,
    }
    return TaskResult({**_numbers(name, whole), **about}, _scores(name, whole, rows))


def _numbers(name: str, whole: Mapping[str, Any]) -> Metrics:
    """Returns lm-eval's metrics by its own names, without the name of the empty filter (",none").

    The metrics of a task in a group have the name of the task as a prefix.

    Example:
        >>> _numbers("g", {"results": {"g": {"acc,none": 0.5}, "a": {"acc,none": 0.25, "alias": " - a"}}})
        {'acc': 0.5, 'a.acc': 0.25}
    """
    found: Metrics = {}
    for task, metrics in {**whole["results"], **whole.get("groups", {})}.items():
        for key, value in metrics.items():
            if isinstance(value, int | float) and "," in key:
                found[("" if task == name else f"{task}.") + key.removesuffix(",none")] = value
    return found


def _scores(name: str, whole: Mapping[str, Any], rows: Rows) -> dict[str, Scores]:
    """Returns the scores of the rows for each metric that is their mean, so that runs can be compared."""
    found: dict[str, Scores] = {}
    for key, mean in whole["results"].get(name, {}).items():
        metric, _, chosen = key.partition(",")
        of_filter = [row for row in rows.get(name, ()) if row["filter"] == chosen]
        values = [row[metric] for row in of_filter if isinstance(row.get(metric), int | float)]
        if values and len(values) == len(of_filter) and np.isclose(np.mean(values), mean):
            asked = ",".join(row["doc_hash"] for row in of_filter)
            scores = np.array(values, dtype=np.float64)
            found[key.removesuffix(",none")] = Scores(scores, np.ones(len(values)), "rows", asked)
    return found


def _plain(value: Any) -> Any:
    """Converts a value to plain JSON values, NaN to None. Objects that JSON cannot hold become text, as in lm-eval."""
    from lm_eval.utils import handle_non_serializable

    return json.loads(
        json.dumps(value, default=handle_non_serializable),
        parse_constant=lambda _: None,  # NaN, Infinity
    )


@lru_cache(maxsize=2)
def _task_manager(path: str | None) -> Any:
    """Returns lm-eval's index of its thousands of task files. Reading it takes seconds."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=path)


@contextlib.contextmanager
def _calling_lm_eval(doing: str) -> Iterator[None]:
    """Converts errors inside lm-eval to `InputError`; errors of our own code are not changed.

    Data that cannot be downloaded, a template with an unknown column and a metric that needs another package raise
    exceptions of many types, from lm-eval, datasets or jinja2.
    """
    log = logging.getLogger("lm_eval")
    level = log.level
    log.setLevel(logging.ERROR)  # its warnings are about its own options
    try:
        with contextlib.redirect_stdout(sys.stderr):  # lm-eval prints, and stdout is for results
            yield
    except TuppenceError:
        raise
    except Exception as error:
        if _is_ours(error.__traceback__):
            raise
        line = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            f"lm-eval failed while {doing}: {line}",
            "check the task's file, and the network where its data is downloaded; --debug shows where it failed",
        ) from error
    finally:
        log.setLevel(level)


def _is_ours(trace: TracebackType | None) -> bool:
    """Whether an error was raised by our code that answers lm-eval's requests."""
    modules = []
    while trace is not None:
        modules.append(str(trace.tb_frame.f_globals.get("__name__")))
        trace = trace.tb_next
    return any(name.startswith("tuppence.") and name != __name__ for name in modules)

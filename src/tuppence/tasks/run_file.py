"""The content of run.yaml (settings, inputs, machine, result), and whether a job may continue the run in a folder.

Called by `session` and `start`. `describe_result` is the result as text for the user.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from torch import nn

from tuppence import __version__
from tuppence.core.config import Section
from tuppence.core.console import counted, one_line, warn
from tuppence.core.environment import Precision, describe
from tuppence.core.errors import InputError
from tuppence.core.git import git_commit
from tuppence.core.numbers import duration
from tuppence.core.run import Run
from tuppence.cost.limits import Limits
from tuppence.tasks.job import Job
from tuppence.tasks.run_options import RunOptions
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution
from tuppence.training.loop import Loop
from tuppence.training.trainable import trainable_parameters

FREE_TO_CHANGE = frozenset(
    {"max_steps", "log_every", "eval_every", "eval_tokens", "patience", "device"}
    | {"deterministic", "activation_checkpointing"}
    | {"sample_every", "sample_prompts", "sample_tokens"}
    | {"checkpoint_every", "checkpoint_minutes", "keep_checkpoints"}
)
"""Keys of `train` that may differ when a run is continued: they do not change updates (except for rounding), or extend
the run."""

SPLIT_OF_A_STEP = frozenset({"batch_size", "accumulation_steps"})
"""Keys that may differ if their product is the same: the same sequences in batches that fit the memory."""

_LIMIT_KEY = "epochs"
"""A limit in the section of the task; it may differ too."""


def check_continues(run: Run, job: Job[Any], options: RunOptions) -> dict[str, Any]:
    """The run file of the run in this folder, or {}.

    Raises:
        InputError: the run has another verb, other inputs or other settings; or there is one and --resume is never.
    """
    if not run.exists():
        return {}
    if options.resume == "never":
        raise InputError(f"{run.path} holds a run already, and --resume is never", "choose another --out, or remove it")
    content = run.read()
    elsewhere = "choose another --out, or give the settings that the run was started with"
    if content.get("verb") != job.verb:
        raise InputError(f"{run.path} was not made by {job.verb}", "choose another --out")
    for name, value in job.inputs.items():
        if (content.get(name) or {}).get("fingerprint") != value["fingerprint"]:
            given = f" than {value['path']}" if "path" in value else ""
            raise InputError(f"{run.path} was started on other {name}{given}", elsewhere)
    config = content.get("config") or {}
    for name, section in _sections(job).items():
        before = _settings_before(section, config.get(name) or {})
        now = section.model_dump(mode="json")
        same_step = name == "train" and _sequences(before) == _sequences(now)
        for key, value in now.items():
            free = key == _LIMIT_KEY if name != "train" else key in FREE_TO_CHANGE
            free = free or (same_step and key in SPLIT_OF_A_STEP)
            if before.get(key) != value and not free:
                raise InputError(
                    f"{run.path} was started with {name}.{key}={before.get(key)}, and now it is {value}", elsewhere
                )
    return content


def _sections(job: Job[Any]) -> dict[str, BaseModel]:
    return {**job.settings, "train": job.train}


def _settings_before(section: BaseModel, written: Mapping[str, Any]) -> dict[str, Any]:
    """A section of an earlier attempt, with the present names of its keys. Missing keys, which earlier versions did not
    have, get their defaults."""
    known = section.from_earlier(written) if isinstance(section, Section) else dict(written)
    fields = type(section).model_fields.items()
    defaults = {name: field.get_default() for name, field in fields if not field.is_required()}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    return {**plain, **known}


def _sequences(train: dict[str, Any]) -> int | None:
    """Sequences of a step on one rank; None if the recipe does not say."""
    sizes = [size for size in map(train.get, SPLIT_OF_A_STEP) if isinstance(size, int)]
    return math.prod(sizes) if len(sizes) == len(SPLIT_OF_A_STEP) else None


def check_origin(checkpoint: Path, job: Job[Any]) -> Run:
    """The run of the checkpoint of `--resume`. Prints a warning if it was trained on other data.

    Raises:
        InputError: it was trained from another base, with another tokenizer, or with another reward model.
    """
    run = Run.of_checkpoint(checkpoint)
    content = run.read() if run.exists() else {}
    for name, value in job.inputs.items():
        before = content.get(name)
        if isinstance(before, dict) and before.get("fingerprint") != value["fingerprint"]:
            if name != "data":
                raise InputError(
                    f"{checkpoint} is of a run with another {name}{_where(before)}",
                    f"continue it with that {name}, or start without --resume",
                )
            warn(f"{checkpoint} is of a run on other data: it continues here on {value.get('path', 'ours')}")
    return run


def _where(named: dict[str, Any]) -> str:
    return f", {named['path']}" if "path" in named else ""


def settings_of(job: Job[Any]) -> dict[str, dict[str, Any]]:
    """The resolved recipe, for run.yaml."""
    return {name: section.model_dump(mode="json") for name, section in _sections(job).items()}


def limits_asked(train: TrainConfig, options: RunOptions, limits: Limits) -> dict[str, Any]:
    """The limits of a run, for run.yaml. A finished run is continued only if they differ."""
    return {
        "max_steps": limits.max_steps,
        "max_minutes": options.max_minutes,
        "budget_usd": options.budget_usd,
        "patience": train.patience,
    }


def same_limits(run_file: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether the last attempt had these limits. Run files of earlier versions do not have all of them."""
    before = dict(run_file.get("limits") or {})
    if "patience" not in before:
        before["patience"] = ((run_file.get("config") or {}).get("train") or {}).get("patience", 0)
        if before.get("max_steps") is None and asked["max_steps"] is not None:  # the number of steps came from the data
            before["max_steps"] = (run_file.get("result") or {}).get("steps")
    return before == asked


def new_run_file(
    run: Run, job: Job[Any], options: RunOptions, limits: Limits, execution: Execution, precision: Precision
) -> dict[str, Any]:
    """The content of run.yaml at the start of an attempt."""
    before = run.read() if run.exists() else {}
    environment = describe(execution.device, precision)
    versions = {"tuppence": __version__, "python": platform.python_version(), "torch": str(torch.__version__)}
    attempt = {"started": now(), **_what_rounds(environment, versions)}
    return {
        "version": 1,
        "verb": job.verb,
        "status": "running",
        "ended_because": None,
        "started": before.get("started") or now(),
        "ended": None,
        "seed": job.train.seed,
        "config": settings_of(job),
        "limits": limits_asked(job.train, options, limits),
        "machine": {
            "precision": execution.precision,
            "compile": execution.compile,
            "ranks": execution.world.size,
            "batches_at_once": execution.batches_at_once,
        },
        "environment": environment,
        "versions": versions,
        "git_commit": git_commit(),
        "attempts": [*_attempts_of(before), attempt],
        **{name: dict(value) for name, value in job.inputs.items()},
        **job.facts,
    }


def _what_rounds(environment: dict[str, Any], versions: dict[str, Any]) -> dict[str, Any]:
    """Hardware and versions, on which the rounding of sums depends."""
    return {
        "device": environment.get("device"),
        "gpu": environment.get("gpu"),
        "cpu": environment.get("cpu"),
        "threads": torch.get_num_threads(),
        "torch": versions.get("torch"),
        "tuppence": versions.get("tuppence"),
    }


def _attempts_of(run_file: dict[str, Any]) -> list[dict[str, Any]]:
    attempts = run_file.get("attempts")
    if isinstance(attempts, list):
        return [each for each in attempts if isinstance(each, dict)]
    environment, versions = run_file.get("environment"), run_file.get("versions")
    if not isinstance(environment, dict) or not isinstance(versions, dict):
        return []
    first = {**_what_rounds(environment, versions), "started": run_file.get("started")}
    return [{key: value for key, value in first.items() if key != "threads"}]  # of a run file of an earlier version


def say_what_differs(run_file: dict[str, Any]) -> None:
    """Prints a warning if the last two attempts differ in hardware or versions, because sums may round differently."""
    attempts = _attempts_of(run_file)
    if len(attempts) < 2:
        return
    before, here = attempts[-2], attempts[-1]
    on_gpu = str(here.get("device")).startswith("cuda")
    compared = ("device", "gpu", "torch", "tuppence") if on_gpu else ("device", "cpu", "threads", "torch", "tuppence")
    changed = [
        f"{key} {here.get(key)} (was {before.get(key)})"
        for key in compared
        if key in before and here.get(key) != before[key]
    ]
    if changed:
        warn(
            f"continued with {', '.join(changed)}: the weights may differ in their last bits from an uninterrupted run"
        )


def model_sizes(model: nn.Module) -> dict[str, int]:
    """The number of parameters, and the number of trained ones if not all are trained."""
    total = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in trainable_parameters(model).values())
    return {"parameters": total} | ({"trained_parameters": trained} if trained < total else {})


def result_of(loop: Loop, run: Run) -> dict[str, Any]:
    """The key `result` of run.yaml: the results of all attempts so far, in seconds, dollars, and nats per token."""
    state = loop.state
    before = (run.read() if run.exists() else {}).get("result") or {}
    chosen = loop.selected
    return {
        "model_step": before.get("model_step") if chosen is None else chosen.step,
        "model_because": before.get("model_because") if chosen is None else chosen.because,
        "steps": state.step,
        "tokens": state.tokens,
        **({"skipped_steps": loop.step.scaler.skipped} if loop.step.scaler.skipped else {}),
        "best_val_loss": state.best_val_loss,
        "best_step": state.best_step,
        "final_val_loss": state.val_loss if state.evaluated_step == state.step else None,
        **({"best_val_metrics": state.best_metrics} if state.best_metrics else {}),
        "seconds": round(loop.ledger.charged_seconds(), 1),
        **state.clock.as_dict(),
        "tokens_per_second": state.tokens_per_second,
        "mfu": loop.deadline.meter.mfu_at(state.tokens_per_second),
        "dollars": round(loop.ledger.charged_dollars(), 6),
        "attempts": len(loop.ledger.attempts) + 1,
    }


def describe_result(out: Path, summary: dict[str, Any], example: str) -> str:
    """The end of a run as text for the user: reason, scores, receipt, and a useful next command."""
    result = summary["result"]
    steps = counted(result["steps"], "step")
    if result.get("skipped_steps"):
        steps += f", {result['skipped_steps']:,} of them skipped because fp16 overflowed,"
    lines = [f"{one_line(str(out))}: {summary['ended_because']} after {steps} ({result['tokens']:,} tokens)"]
    if result["best_val_loss"] is not None:
        lines.append(f"best validation loss {result['best_val_loss']:.4f} at step {result['best_step']:,}")
    if result.get("model_step") is not None:
        lines.append(
            f"{one_line(str(Run(out).model))}: the weights of step {result['model_step']:,}: {result['model_because']}"
        )
    metrics = [f"{name} {value:.4f}" for name, value in result.get("best_val_metrics", {}).items()]
    if metrics:
        lines.append("there: " + ", ".join(metrics))
    attempts = counted(result["attempts"], "attempt")
    lines.append(f"receipt: ${result['dollars']:.4f} for {duration(result['seconds'])} in {attempts}")
    if result["tokens_per_second"] is not None:
        lines.append(f"speed: {result['tokens_per_second']:,.0f} tokens a second, evaluation and saving not counted")
    if example:
        lines.append(f"next: {example}")
    return "\n".join(lines)


def now() -> str:
    """The present time in UTC, as ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

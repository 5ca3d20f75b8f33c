"""The content of run.yaml: settings, inputs, machine, result. `describe_result` is the result as text for the user.

`session` writes the file; `start` compares it with a new job.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tuppence import __version__
from tuppence.core.console import counted, one_line, warn
from tuppence.core.environment import Precision, describe
from tuppence.core.git import git_commit
from tuppence.core.numbers import duration
from tuppence.core.run import Run
from tuppence.cost.limits import Limits
from tuppence.storage import mirror_of
from tuppence.tasks.job import Job
from tuppence.tasks.run_options import RunOptions
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution
from tuppence.training.loop import Loop
from tuppence.training.trainable import trainable_parameters


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


def settings_of(job: Job[Any]) -> dict[str, dict[str, Any]]:
    """The resolved recipe, for run.yaml."""
    return {name: section.model_dump(mode="json") for name, section in {**job.settings, "train": job.train}.items()}


def limits_asked(train: TrainConfig, options: RunOptions, limits: Limits) -> dict[str, Any]:
    """The limits of a run, for run.yaml. A finished run is continued only if they differ."""
    return {
        "max_steps": limits.max_steps,
        "max_minutes": options.max_minutes,
        "budget_usd": options.budget_usd,
        "patience": train.patience,
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


def upload_facts(run: Run) -> dict[str, Any]:
    """The key `upload` of run.yaml: speed and size of what was copied to a remote run; {} for a local run."""
    mirror = mirror_of(run.path)
    if mirror is None:
        return {}
    content = run.read() if run.exists() else {}
    parameters = int(content.get("parameters") or 0)
    return {"upload": mirror.facts(parameters, content.get("trained_parameters"))}


def describe_result(out: Path, summary: dict[str, Any], example: str) -> str:
    """The end of a run as text for the user: reason, scores, receipt, and a useful next command."""
    result = summary["result"]
    steps = counted(result["steps"], "step")
    if result.get("skipped_steps"):
        steps += f", {result['skipped_steps']:,} of them skipped because fp16 overflowed"
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
    if example and result["steps"]:
        lines.append(f"next: {example}")
    return "\n".join(lines)


def now() -> str:
    """The present time in UTC, as ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

"""The start of an attempt: what is in the run folder, the limits, and the line that announces the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from tuppence.core.console import note
from tuppence.core.numbers import duration
from tuppence.core.run import Run
from tuppence.cost.limits import Limits
from tuppence.storage import absolute_location, stage_checkpoint
from tuppence.tasks.job import Job
from tuppence.tasks.run_file import check_continues, check_origin, model_sizes
from tuppence.tasks.run_options import RunOptions
from tuppence.training.checkpoint import newest_good_checkpoint, verify_checkpoint
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution


@dataclass(frozen=True)
class Start:
    """What rank 0 finds when an attempt starts. All values are plain JSON, because other ranks get a copy.

    Attributes:
        run_file: the content of run.yaml, or {}.
        resume: the checkpoint of `--resume`; None for the newest one of the run.
        origin: the run of that checkpoint.
    """

    run_file: dict[str, Any]
    resume: str | None
    origin: str | None


def find_start(run: Run, job: Job[Any], options: RunOptions) -> Start:
    """Reads and checks the run folder.

    Raises:
        InputError: the folder has another run, or the checkpoint of `--resume` does not fit.
    """
    resume = _resume_from(run, options)
    if resume is None:
        return Start(check_continues(run, job, options), None, None)
    verify_checkpoint(resume)
    origin = check_origin(resume, job)
    return Start(check_continues(run, job, options), str(resume), str(origin.path))


def _resume_from(run: Run, options: RunOptions) -> Path | None:
    """The checkpoint of `--resume`; None for the newest one of the run.

    None also if the run has continued from that checkpoint before, because the same command was given again.
    """
    if options.resume in ("auto", "never"):
        return None
    asked = stage_checkpoint(options.resume)
    if not run.exists() or run.read().get("resumed_from") != absolute_location(asked):
        return asked
    if newest_good_checkpoint(run.checkpoints) is None:
        return asked
    note(f"{run.path} has already continued from {asked}, and goes on; to start there again, give another --out")
    return None


def limits_of(train: TrainConfig, options: RunOptions, default_steps: int) -> Limits:
    """The limits of a run. If it has none, `default_steps` is its limit."""
    max_steps = train.max_steps
    if max_steps is None and options.max_minutes is None and options.budget_usd is None:
        max_steps = default_steps
    return Limits(
        max_steps=max_steps,
        max_seconds=None if options.max_minutes is None else options.max_minutes * 60,
        budget_usd=options.budget_usd,
        rate_usd_per_hour=options.rate.rate_usd_per_hour,
    )


def announce(model: nn.Module, limits: Limits, rank_tokens: int, execution: Execution) -> None:
    """Prints sizes, limits and the largest possible cost of the run."""
    sizes, tokens_per_step = model_sizes(model), rank_tokens * execution.world.size
    trained = f" ({sizes['trained_parameters']:,} trained)" if "trained_parameters" in sizes else ""
    parts = [f"{sizes['parameters']:,} parameters{trained}", f"{tokens_per_step:,} tokens a step"]
    if limits.max_steps is not None:
        parts.append(f"{limits.max_steps:,} steps ({limits.max_steps * tokens_per_step:,} tokens)")
    seconds = limits.seconds_left(elapsed=0.0, spent=0.0)
    if seconds < float("inf"):
        parts.append(f"at most {duration(seconds)}")
        if limits.rate_usd_per_hour:
            parts.append(f"at most ${seconds / 3600 * limits.rate_usd_per_hour:.4f}")
    elif limits.rate_usd_per_hour:
        parts.append(f"no cap, at ${limits.rate_usd_per_hour:g} an hour")
    compiled = ", compiled" if execution.compile else ""
    note(" · ".join([*parts, f"{execution.device} in {execution.precision}{compiled}"]))

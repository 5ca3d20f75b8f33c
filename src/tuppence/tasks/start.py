"""What an attempt finds in the run folder, which limits it has, and the line that announces it."""

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
    """What is in the run folder when an attempt starts, as rank 0 sees it; plain values, as other ranks get it as JSON.

    Attributes:
        run_file: the content of run.yaml, or {}.
        resume: the checkpoint that was asked for; None for the run's own newest one.
        origin: the run that this checkpoint is of.
    """

    run_file: dict[str, Any]
    resume: str | None
    origin: str | None


def find_start(run: Run, job: Job[Any], options: RunOptions) -> Start:
    """Reads and checks the folder.

    Raises:
        InputError: another run is there, or the checkpoint that was asked for does not fit.
    """
    resume = _resume_from(run, options)
    if resume is None:
        return Start(check_continues(run, job, options), None, None)
    verify_checkpoint(resume)
    origin = check_origin(resume, job)
    return Start(check_continues(run, job, options), str(resume), str(origin.path))


def _resume_from(run: Run, options: RunOptions) -> Path | None:
    """The checkpoint that was asked for; None for the run's own newest one.

    The run's own newest one is also taken where the run has continued from the one asked for before: the same command
    was given again.
    """
    if options.resume in ("auto", "never"):
        return None
    asked = stage_checkpoint(options.resume)
    if not run.exists() or run.read().get("resumed_from") != absolute_location(asked):
        return asked
    if newest_good_checkpoint(run.checkpoints) is None:
        return asked
    note(f"{run.path} has gone on from {asked} before, and goes on; to begin there again, give another --out")
    return None


def limits_of(train: TrainConfig, options: RunOptions, default_steps: int) -> Limits:
    """The limits of a run; it has `default_steps` where nothing else limits it."""
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
    """Prints what is about to happen and what it can cost."""
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

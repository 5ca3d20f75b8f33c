"""The start of an attempt: whether it may continue the run in its folder, its limits, and its announcement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from torch import nn

from tuppence.core.config import Section
from tuppence.core.console import counted, note, warn
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.core.run import Run
from tuppence.cost.limits import Limits
from tuppence.storage import absolute_location, stage_checkpoint
from tuppence.tasks.job import Job
from tuppence.tasks.run_file import model_sizes
from tuppence.tasks.run_options import RunOptions
from tuppence.training.checkpoint import newest_good_checkpoint, verify_checkpoint
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import world_size
from tuppence.training.execution import Execution

FREE_TO_CHANGE = frozenset(
    {"max_steps", "log_every", "eval_every", "eval_tokens", "patience", "device"}
    | {"deterministic", "activation_checkpointing", "parallel"}
    | {"sample_every", "sample_prompts", "sample_tokens"}
    | {"checkpoint_every", "checkpoint_minutes", "keep_checkpoints"}
)
"""Keys of `train` that may differ when a run is continued: they do not change updates (except for rounding), or extend
the run."""

SPLIT_OF_A_STEP = frozenset({"batch_size", "accumulation_steps"})
"""Keys that may differ if their product with the number of ranks is the same: the same sequences in each step."""

_LIMIT_KEY = "epochs"
"""A limit in the section of the task; it may differ too."""


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
    _check_ranks(run, job, content)
    for name, section in {**job.settings, "train": job.train}.items():
        before = _settings_before(section, config.get(name) or {})
        now = section.model_dump(mode="json")
        same_step = name == "train" and _sequences(before, _ranks_of(content)) == _sequences(now, world_size())
        for key, value in now.items():
            free = key == _LIMIT_KEY if name != "train" else key in FREE_TO_CHANGE
            free = free or (same_step and key in SPLIT_OF_A_STEP)
            if before.get(key) != value and not free:
                raise InputError(
                    f"{run.path} was started with {name}.{key}={before.get(key)}, and now it is {value}", elsewhere
                )
    return content


def _settings_before(section: BaseModel, written: Mapping[str, Any]) -> dict[str, Any]:
    """A section of an earlier attempt, with the present names of its keys. Missing keys, which earlier versions did not
    have, get their defaults."""
    known = section.from_earlier(written) if isinstance(section, Section) else dict(written)
    fields = type(section).model_fields.items()
    defaults = {name: field.get_default() for name, field in fields if not field.is_required()}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    return {**plain, **known}


def _sequences(train: dict[str, Any], ranks: int) -> int | None:
    """Sequences of a step on all ranks; None if the recipe does not say."""
    sizes = [size for size in map(train.get, SPLIT_OF_A_STEP) if isinstance(size, int)]
    return ranks * math.prod(sizes) if len(sizes) == len(SPLIT_OF_A_STEP) else None


def _ranks_of(run_file: Mapping[str, Any]) -> int:
    """The number of ranks that the run was last on."""
    ranks = (run_file.get("machine") or {}).get("ranks")
    return ranks if isinstance(ranks, int) else world_size()


def _check_ranks(run: Run, job: Job[Any], run_file: Mapping[str, Any]) -> None:
    """Checks that a run which continues on another number of ranks reads the same sequences in each step.

    Raises:
        InputError: it does not, or its objective cannot continue on another number of ranks.
    """
    before, now = _ranks_of(run_file), world_size()
    if before == now:
        return
    what = f"{run.path} was started on {counted(before, 'rank')}, and now there {'is' if now == 1 else 'are'} {now}"
    if not job.scales:
        raise InputError(what, f"start {job.verb} with the same number of ranks")
    written = _settings_before(job.train, (run_file.get("config") or {}).get("train") or {})
    wanted, given = _sequences(written, before), _sequences(job.train.model_dump(mode="json"), now)
    if wanted is None or wanted != given:
        raise InputError(
            f"{what}: a step would have {given} sequences instead of {wanted}",
            "start it with the same number of ranks, or change train.batch_size or train.accumulation_steps so that "
            f"their product with the number of ranks stays {wanted}",
        )
    warn(f"{what}: the same sequences in each step, and sums that round differently")


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
                where = f", {before['path']}" if "path" in before else ""
                raise InputError(
                    f"{checkpoint} is of a run with another {name}{where}",
                    f"continue it with that {name}, or start without --resume",
                )
            warn(f"{checkpoint} is of a run on other data: it continues here on {value.get('path', 'ours')}")
    return run


def same_limits(run_file: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether the last attempt had these limits. Run files of earlier versions do not have all of them."""
    before = dict(run_file.get("limits") or {})
    if "patience" not in before:
        before["patience"] = ((run_file.get("config") or {}).get("train") or {}).get("patience", 0)
        if before.get("max_steps") is None and asked["max_steps"] is not None:  # the number of steps came from the data
            before["max_steps"] = (run_file.get("result") or {}).get("steps")
    return before == asked


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
        parts.append(f"no budget, at ${limits.rate_usd_per_hour:g} an hour")
    compiled = ", compiled" if execution.compile else ""
    divided = f", divided among {execution.world.size} ranks" if execution.sharded else ""
    note(" · ".join([*parts, f"{execution.device} in {execution.precision}{compiled}{divided}"]))

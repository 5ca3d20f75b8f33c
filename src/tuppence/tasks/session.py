"""What every training verb does around the one loop, once: `train(job)`.

It refuses to mix two different runs in one folder, decides on device, precision, compilation and limits and keeps them
in run.yaml, claims the folder, says what is about to happen and what it can cost, runs the loop, measures what came of
it, and writes down how it ended. The same job again continues the run. What is trained, and on what, a task says in a
`Job`.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tuppence import __version__
from tuppence.core.console import counted, note, warn
from tuppence.core.environment import Precision, choose_device, choose_precision, describe
from tuppence.core.errors import InputError, Interrupted, TuppenceError
from tuppence.core.rundir import RunDir, git_commit
from tuppence.cost.ledger import Ledger, Rate, read_attempts
from tuppence.cost.limits import Limits
from tuppence.training.checkpoint import verify_checkpoint
from tuppence.training.compilation import worth_compiling
from tuppence.training.config import TrainConfig
from tuppence.training.determinism import compute_deterministically
from tuppence.training.distributed import join_world, leave_world
from tuppence.training.loop import Loop
from tuppence.training.objective import Objective
from tuppence.training.parallel import Machine
from tuppence.training.progress import describe_seconds
from tuppence.training.signals import DeadlinePassed, StopSignals
from tuppence.training.throughput import Meter, device_peak
from tuppence.training.tracking import check_tracker, open_trackers
from tuppence.training.trained import trained_parameters

FREE_TO_CHANGE = frozenset(
    {"max_steps", "log_every", "eval_every", "eval_tokens", "patience", "device"}
    | {"sample_every", "sample_prompts", "sample_tokens"}
    | {"checkpoint_every", "checkpoint_minutes", "keep_checkpoints"}
)
"""Keys of `train` that may differ when a run is continued: they change no update, or are meant to be extended."""


@dataclass(frozen=True)
class RunOptions:
    """What the command line adds to a recipe.

    Attributes:
        max_minutes: wall time of the run, evaluation and saving included.
        budget: the most dollars it may spend, over all attempts.
        rate: what an hour of this machine costs.
        resume: "auto", "never", or the folder of a checkpoint.
        track: "none" or "tensorboard".
    """

    max_minutes: float | None = None
    budget: float | None = None
    rate: Rate = field(default_factory=Rate)
    resume: str = "auto"
    track: str = "none"


@dataclass(frozen=True)
class Job:
    """One training run, as a task describes it. Building the model comes after the refusals.

    Attributes:
        verb: as on the command line, "finetune classify".
        out: the run folder.
        train: how to train.
        settings: the other sections of the recipe as resolved; what differs from them later is another run.
        inputs: what is read, by name ("data", "base", "tokenizer"), each with "fingerprint" and mostly "path".
        tokens_per_step: of one rank, as far as it is known beforehand.
        default_steps: for so many ranks, where neither steps, minutes nor dollars limit the run.
        flops_per_token: of training on one token.
        build: makes the objective and the model on a device; torch's generator was seeded before.
        write_result: writes RUN/model and what belongs beside it, from the trained model.
        measure: what the result is worth, by name, read from RUN as anybody would. It is on the run's clock, and given
            up where the run's limits leave no time for it.
        closing: how many evaluations' time that takes.
        facts: more for run.yaml.
        example: the command that people will want to type next.
        compile: what `train.compile: auto` means: for batches of ever-changing lengths, False.
    """

    verb: str
    out: Path
    train: TrainConfig
    settings: Mapping[str, Mapping[str, Any]]
    inputs: Mapping[str, Mapping[str, Any]]
    tokens_per_step: int
    default_steps: Callable[[int], int]
    flops_per_token: float
    build: Callable[[str], tuple[Objective, nn.Module]]
    write_result: Callable[[nn.Module], None]
    measure: Callable[[], dict[str, Any]] | None = None
    closing: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    example: str = ""
    compile: bool = True


def train(job: Job, options: RunOptions) -> dict[str, Any]:
    """Trains, or continues to, and measures the result.

    Returns:
        run.yaml's `result`, `status` and `ended_because`, and what `job.measure` found; {} on ranks but the first.

    Raises:
        InputError: inputs, recipe and run folder do not fit together.
        Interrupted: SIGINT or SIGTERM; the state is saved.
    """
    run, config = RunDir(job.out), job.train
    check_tracker(options.track)
    resume = Path(options.resume) if options.resume not in ("auto", "never") else None
    if resume is not None:
        verify_checkpoint(resume)
    record = _check_against_record(run, job, options)
    if record.get("status") == "done" and record.get("limits") == _limit_record(config, options):
        note(f"{job.out} is done already: it {record['ended_because']}")
        return _summary(record) | _measured(job)

    device = choose_device(config.device)
    world = join_world(device)
    if device == "cuda":
        device = f"cuda:{world.local_rank}"
        torch.cuda.set_device(device)
    tokens_per_step = job.tokens_per_step * world.size
    limits = _limits(config, options, job.default_steps(world.size))

    chosen = record.get("machine") or {}
    precision = choose_precision(device, chosen.get("precision", config.precision))
    if chosen:  # continued: the reason is the one it was chosen for
        precision = Precision(precision.name, str(record["environment"].get("precision_reason", precision.reason)))
    peak = device_peak(device, precision.name)
    compiles = chosen.get("compile")
    if compiles is None:
        wanted = config.compile if job.compile or config.compile != "auto" else False
        compiles = worth_compiling(wanted, limits, job.flops_per_token * job.tokens_per_step, peak, device)
    machine = Machine(device, precision.name, bool(compiles), world)

    compute_deterministically()
    torch.manual_seed(config.seed)
    objective, model = job.build(device)
    let_go = _nothing
    if world.leads:
        run.create()
        let_go = run.claim()
        run.update_record(**_new_record(run, job, options, machine, precision), **_sizes(model))
        _announce(model, limits, tokens_per_step, machine)
    world.wait()
    ledger = Ledger(run.ledger_file if world.leads else None, options.rate, options.budget)
    loop = Loop(
        objective=objective,
        model=model,
        config=config,
        limits=limits,
        machine=machine,
        meter=Meter(job.flops_per_token, peak, world.size),
        run=run,
        ledger=ledger,
        open_trackers=lambda step: open_trackers(run, options.track, step),
        write_result=lambda: job.write_result(model),
        resume=resume,
        closing=job.closing,
    )
    status, because = "failed", "a defect"
    try:
        with ledger.ticking():
            because = loop.run()
            measured = _measured(job, loop.deadline.seconds_left()) if world.leads else {}
        status = "done"
    except Interrupted as error:
        status, because = "stopped", f"stopped by signal {error.signal_number}"
        raise
    except TuppenceError as error:
        because = error.message
        raise
    finally:
        if world.leads:
            ledger.end(because)
            run.update_record(status=status, ended_because=because, ended=_now(), result=_result(loop, run))
        let_go()
        leave_world()
    return _summary(run.read_record()) | measured if world.leads else {}


def _measured(job: Job, seconds: float = float("inf")) -> dict[str, Any]:
    """What `job.measure` finds; {} where there is nothing to find, or it takes longer than `seconds`."""
    if job.measure is None:
        return {}
    try:
        with StopSignals() as signals, signals.abandoning(on_signal=True, seconds=seconds):
            return job.measure()
    except DeadlinePassed:
        warn(f"the run's limits leave no time to measure its result; {job.out / 'model'} stands")
        return {}


def _nothing() -> None:
    """What the ranks that do not lead let go of."""


# ---- before the run ----------------------------------------------------------------------------------------------


def _limits(train: TrainConfig, options: RunOptions, default_steps: int) -> Limits:
    max_steps = train.max_steps
    if max_steps is None and options.max_minutes is None and options.budget is None:
        max_steps = default_steps
    return Limits(
        max_steps=max_steps,
        max_seconds=None if options.max_minutes is None else options.max_minutes * 60,
        max_dollars=options.budget,
        dollars_per_hour=options.rate.dollars_per_hour,
    )


def _check_against_record(run: RunDir, job: Job, options: RunOptions) -> dict[str, Any]:
    """The record of the run that stands at this place, or {}; refuses to mix two different runs."""
    if not run.exists():
        return {}
    if options.resume == "never":
        raise InputError(f"{run.path} holds a run already, and --resume is never", "choose another --out, or remove it")
    record = run.read_record()
    elsewhere = "choose another --out, or give the settings that the run was started with"
    if record.get("verb") != job.verb:
        raise InputError(f"{run.path} was not made by {job.verb}", "choose another --out")
    for name, value in job.inputs.items():
        if (record.get(name) or {}).get("fingerprint") != value["fingerprint"]:
            given = f" than {value['path']}" if "path" in value else ""
            raise InputError(f"{run.path} was started on other {name}{given}", elsewhere)
    before = record.get("config") or {}
    for section, values in _settings(job).items():
        for key, value in values.items():
            was = (before.get(section) or {}).get(key)
            if was != value and not (section == "train" and key in FREE_TO_CHANGE):
                raise InputError(f"{run.path} was started with {section}.{key}={was}, and now it is {value}", elsewhere)
    return record


def _settings(job: Job) -> dict[str, dict[str, Any]]:
    """The recipe as it was resolved, for run.yaml."""
    return {**{name: dict(values) for name, values in job.settings.items()}, "train": job.train.model_dump(mode="json")}


def _limit_record(train: TrainConfig, options: RunOptions) -> dict[str, Any]:
    return {"max_steps": train.max_steps, "max_minutes": options.max_minutes, "budget_usd": options.budget}


def _new_record(run: RunDir, job: Job, options: RunOptions, machine: Machine, precision: Precision) -> dict[str, Any]:
    before = run.read_record() if run.exists() else {}
    return {
        "version": 1,
        "verb": job.verb,
        "status": "running",
        "ended_because": None,
        "started": before.get("started") or _now(),
        "ended": None,
        "seed": job.train.seed,
        "config": _settings(job),
        "limits": _limit_record(job.train, options),
        "machine": {"precision": machine.precision, "compile": machine.compile, "ranks": machine.world.size},
        "environment": describe(machine.device, precision),
        "versions": {"tuppence": __version__, "python": platform.python_version(), "torch": str(torch.__version__)},
        "git_commit": git_commit(),
        **{name: dict(value) for name, value in job.inputs.items()},
        **job.facts,
    }


def _sizes(model: nn.Module) -> dict[str, int]:
    """How large the model is, and how much of it is trained where that is not all."""
    total = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in trained_parameters(model).values())
    return {"parameters": total} | ({"trained_parameters": trained} if trained < total else {})


def _announce(model: nn.Module, limits: Limits, tokens_per_step: int, machine: Machine) -> None:
    """What is about to happen and what it can cost, before it starts."""
    sizes = _sizes(model)
    trained = f" ({sizes['trained_parameters']:,} trained)" if "trained_parameters" in sizes else ""
    parts = [f"{sizes['parameters']:,} parameters{trained}", f"{tokens_per_step:,} tokens a step"]
    if limits.max_steps is not None:
        parts.append(f"{limits.max_steps:,} steps ({limits.max_steps * tokens_per_step:,} tokens)")
    seconds = limits.seconds_left(elapsed=0.0, spent=0.0)
    if seconds < float("inf"):
        parts.append(f"at most {describe_seconds(seconds)}")
        if limits.dollars_per_hour:
            parts.append(f"at most ${seconds / 3600 * limits.dollars_per_hour:.4f}")
    elif limits.dollars_per_hour:
        parts.append(f"no cap, at ${limits.dollars_per_hour:g} an hour")
    compiled = ", compiled" if machine.compile else ""
    note(" · ".join([*parts, f"{machine.device} in {machine.precision}{compiled}"]))


# ---- after the run -----------------------------------------------------------------------------------------------


def _result(loop: Loop, run: RunDir) -> dict[str, Any]:
    state = loop.state
    attempts = read_attempts(run.ledger_file)
    return {
        "steps": state.step,
        "tokens": state.tokens,
        "best_val_loss": state.best_val_loss,
        "best_step": state.best_step,
        "final_val_loss": state.val_loss if state.evaluated_step == state.step else None,
        **({"best_val_metrics": state.best_metrics} if state.best_metrics else {}),
        "seconds": round(sum(attempt.seconds for attempt in attempts), 1),
        **state.clock.as_dict(),
        "tokens_per_second": state.tokens_per_second,
        "mfu": loop.meter.mfu_at(state.tokens_per_second),
        "dollars": round(sum(attempt.dollars for attempt in attempts), 6),
        "attempts": len(attempts),
    }


def describe_result(out: Path, summary: dict[str, Any], example: str) -> str:
    """The end of a run in a few lines for people: why, how well, the receipt, and what to type next."""
    result = summary["result"]
    steps = counted(result["steps"], "step")
    lines = [f"{out}: {summary['ended_because']} after {steps} ({result['tokens']:,} tokens)"]
    if result["best_val_loss"] is not None:
        lines.append(f"best validation loss {result['best_val_loss']:.4f} at step {result['best_step']:,}")
    metrics = [f"{name} {value:.4f}" for name, value in result.get("best_val_metrics", {}).items()]
    if metrics:
        lines.append("there: " + ", ".join(metrics))
    attempts = counted(result["attempts"], "attempt")
    lines.append(f"receipt: ${result['dollars']:.4f} for {describe_seconds(result['seconds'])} in {attempts}")
    if result["tokens_per_second"] is not None:
        lines.append(f"speed: {result['tokens_per_second']:,.0f} tokens a second, evaluation and saving not counted")
    if example:
        lines.append(f"next: {example}")
    return "\n".join(lines)


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record.get(key) for key in ("status", "ended_because", "result")}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

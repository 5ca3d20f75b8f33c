"""What every training verb does around the one loop, once: `train(job)`.

It refuses to mix two different runs in one folder, decides on device, precision, compilation and limits and keeps them
in run.yaml, claims the folder, says what is about to happen and what it can cost, runs the loop, measures what came of
it, and writes down how it ended. The same job again continues the run. What is trained, and on what, a task says in a
`Job`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tuppence.core.console import counted, note, warn
from tuppence.core.environment import Precision, choose_device, choose_precision
from tuppence.core.errors import InputError, Interrupted, TuppenceError
from tuppence.core.memory import explaining_memory
from tuppence.core.numbers import duration
from tuppence.core.run import Run
from tuppence.core.threads import share_cores
from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.data.records.trained_rows import write_trained_rows
from tuppence.storage import location_of, stage_checkpoint
from tuppence.tasks.bill import money_is_gone, open_bill, settle_record, summary_of
from tuppence.tasks.job import Job, RunOptions
from tuppence.tasks.record import (
    check_against_record,
    check_origin,
    limits_asked,
    model_sizes,
    new_record,
    now,
    result_of,
    same_limits,
    say_what_differs,
    settings_of,
)
from tuppence.training.batch_size import batches_at_once
from tuppence.training.checkpoint import list_checkpoints, newest_good_checkpoint, verify_checkpoint
from tuppence.training.checkpoints import CheckpointManager
from tuppence.training.compilation import worth_compiling
from tuppence.training.config import TrainConfig
from tuppence.training.deadline import Deadline
from tuppence.training.determinism import compute_deterministically
from tuppence.training.distributed import World, join_world, leave_world
from tuppence.training.execution import Execution
from tuppence.training.loop import Loop
from tuppence.training.metrics import MetricsLogger
from tuppence.training.objective import Objective
from tuppence.training.signals import DeadlinePassed, StopSignals, signal_name
from tuppence.training.step import Step
from tuppence.training.throughput import Meter, device_peak
from tuppence.training.tracking import check_tracker


def train(job: Job, options: RunOptions) -> dict[str, Any]:
    """Trains, or continues to, and measures the result.

    Returns:
        run.yaml's `result`, `status` and `ended_because`, and what `job.measure` found; {} on ranks but the first.

    Raises:
        InputError: inputs, recipe and run folder do not fit together.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    run = Run(job.out)
    check_tracker(options.track)
    world, device = join_world(choose_device(job.train.device))
    try:
        with StopSignals() as signals, contextlib.ExitStack() as stack:
            start = Start.from_plain(world.on_main(lambda: _look_at(run, job, options).plain()))
            limits = _limits(job.train, options, job.default_steps(world.size))
            if world.on_main(lambda: _is_done(job, options, start.record, limits)):
                if not world.is_main:
                    return {}
                note(f"{job.out} is done already: it {start.record['ended_because']}")
                left = float("inf") if options.ledger is None else options.ledger.seconds_to_cap()
                return summary_of(start.record) | _measured(job, signals, left)
            gone = world.on_main(
                lambda: None if options.ledger is not None else money_is_gone(run, options.rate, options.budget)
            )
            if gone:
                if world.is_main:
                    note(gone)
                return summary_of(settle_record(run)) if world.is_main else {}
            ledger = _open_ledger(run, options, world, stack)
            summary = _train(job, options, run, start, world, device, limits, ledger, signals)
            if signals.requested is not None:  # while the end was written down
                interruption = Interrupted(signals.requested)
                interruption.summary = summary
                raise interruption
            return summary
    finally:
        leave_world()


def _open_ledger(run: Run, options: RunOptions, world: World, stack: contextlib.ExitStack) -> Ledger:
    """Rank 0's bill; on the other ranks a clock that knows what was spent, and ends them soon after rank 0's guard."""
    ledger = options.ledger or Ledger(None, options.rate, options.budget, began=options.began)

    def spent() -> float:
        nonlocal ledger
        if options.ledger is None:
            bill = open_bill(
                run, options.rate, options.budget, began=options.began, whole_process=options.whole_process
            )
            ledger = stack.enter_context(bill)
        return ledger.spent_before

    before = float(world.on_main(spent))
    if not world.is_main:
        ledger.spent_before = before
        if options.whole_process and options.budget is not None:
            stack.enter_context(ledger.watching(_leave_behind_rank_0))
    return ledger


def _leave_behind_rank_0() -> None:
    time.sleep(1.0)
    os._exit(0)


@dataclass(frozen=True)
class Start:
    """What stands in the run folder when an attempt begins, as rank 0 sees it.

    Attributes:
        record: run.yaml, or {}.
        resume: the checkpoint that was asked for; None for the run's own newest one.
        origin: the run which that is of.
    """

    record: dict[str, Any]
    resume: Path | None
    origin: Path | None

    def plain(self) -> dict[str, Any]:
        """As JSON: other ranks may not see the folder."""
        return {
            "record": self.record,
            "resume": None if self.resume is None else str(self.resume),
            "origin": None if self.origin is None else str(self.origin),
        }

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> Start:
        """What `plain` gave."""
        resume, origin = (None if values[name] is None else Path(values[name]) for name in ("resume", "origin"))
        return cls(values["record"], resume, origin)


def _look_at(run: Run, job: Job, options: RunOptions) -> Start:
    resume, origin = _resume_from(run, options), None
    if resume is not None:
        verify_checkpoint(resume)
        origin = check_origin(resume, job)
    return Start(check_against_record(run, job, options), resume, None if origin is None else origin.path)


def _train(
    job: Job,
    options: RunOptions,
    run: Run,
    start: Start,
    world: World,
    device: str,
    limits: Limits,
    ledger: Ledger,
    signals: StopSignals,
) -> dict[str, Any]:
    world.require_same(_what_is_trained(job), "the ranks read different data or recipes")
    execution, precision, meter = _choose_execution(job, start.record, world, device, limits)
    compute_deterministically()
    share_cores()
    torch.manual_seed(job.train.seed)
    with signals.abandoning(on_signal=world.size == 1), explaining_memory(_memory_hint(job.train)):
        objective, model = job.build(execution.device)
        execution = _with_batches(execution, objective, model, job, start.record)
    if world.is_main:
        run.update(**new_record(run, job, options, limits, execution, precision), **model_sizes(model))
        say_what_differs(run.read())
    try:
        if world.is_main:
            if job.rows:
                write_trained_rows(job.out, job.rows, origin=start.origin)
            _announce(model, limits, job.tokens_per_step, execution)
        world.barrier()
        step = Step(objective, model, job.train, execution)
        deadline = Deadline.of(step, limits, ledger, meter, closing=job.closing)
        checkpoints = CheckpointManager(run, step, start.resume)
        logger = MetricsLogger(run, deadline, track=options.track, log_every=job.train.log_every, is_main=world.is_main)
        loop = Loop(step, deadline, checkpoints, logger, write_result=lambda: job.write_result(model), signals=signals)
    except BaseException as error:
        if world.is_main:
            with contextlib.suppress(TuppenceError, OSError):
                run.update(status="failed", ended_because=str(error), ended=now())
        raise
    try:
        return _carry_out(loop, job, run)
    finally:
        loop.step.loss.release()


def _what_is_trained(job: Job) -> str:
    fingerprints = {name: value.get("fingerprint") for name, value in job.inputs.items()}
    return json.dumps([fingerprints, settings_of(job)], sort_keys=True, default=str)


def _choose_execution(
    job: Job, record: Mapping[str, Any], world: World, device: str, limits: Limits
) -> tuple[Execution, Precision, Meter]:
    """Device, precision with its reason, and whether to compile; a continued run keeps its own.

    The device's peak is measured here, once, before anything is seeded: it takes a moment, and draws numbers.

    Raises:
        InputError: the run was started on another number of ranks.
    """
    config, chosen = job.train, record.get("machine") or {}
    if chosen.get("ranks", world.size) != world.size:
        raise InputError(
            f"{job.out} was started on {counted(chosen['ranks'], 'rank')}, and now there are {world.size}",
            "give it as many: a step's batch is that of all ranks, and windows are dealt by it",
        )
    precision = _choose_precision(job, device, chosen.get("precision"))
    if chosen:  # the reason is the one it was chosen for
        precision = Precision(precision.name, str(record["environment"].get("precision_reason", precision.reason)))
    peak = device_peak(device, precision.name)
    compiles = chosen.get("compile")
    if compiles is None:
        wanted = config.compile if job.compile or config.compile != "auto" else False
        compiles = worth_compiling(wanted, limits, job.flops_per_token * job.tokens_per_step, peak, device)
        compiles = bool(world.broadcast_from_rank0(float(compiles)))
    meter = Meter(job.flops_per_token, peak, world.size)
    return Execution(device, precision.name, bool(compiles), world), precision, meter


def _choose_precision(job: Job, device: str, before: str | None) -> Precision:
    """The precision of the run: the one that it began in, else what the recipe says.

    Raises:
        InputError: the device cannot train in it.
    """
    try:
        return choose_precision(device, before or job.train.precision)
    except InputError as error:
        saved = list_checkpoints(Run(job.out).checkpoints) if before else []
        if not saved:
            raise
        raise InputError(
            f"{job.out} was begun in {before}: {error.message}",
            f"go on in a new run: the same command with --resume {saved[-1]}, another --out and "
            "--set train.precision=auto",
        ) from error


def _carry_out(loop: Loop, job: Job, run: Run) -> dict[str, Any]:
    """Runs the loop, measures the result, and writes down how it ended, however that was."""
    leads, signals = loop.world.is_main, loop.signals
    status, because = "failed", "a defect"
    interruption: Interrupted | None = None
    failed = True
    try:
        with explaining_memory(_memory_hint(job.train)):
            because = loop.run()
            loop.ledger.doing = "measuring the result"
            measured = _measured(job, signals, loop.deadline.seconds_left(save=False, result=False)) if leads else {}
        if signals.requested is not None:  # behind the last look of the loop
            raise Interrupted(signals.requested)
        status, failed = "done", False
        if loop.state.step == 0 and leads:
            warn(f"{because} before the first step: nothing was trained, and no {Run(job.out).model} was written")
    except Interrupted as error:
        interruption = error
        status, because = "stopped", f"stopped by {signal_name(error.signal_number)}"
        if leads and error.at_once:
            saved = "nothing" if loop.checkpoints.saved_step is None else f"step {loop.checkpoints.saved_step:,}"
            note(f"{job.out}: left at once; {saved} is saved")
        elif leads:
            note(f"{job.out}: {because} at step {loop.state.step:,}, saved; the same command goes on from there")
        raise
    except TuppenceError as error:
        because = error.message
        raise
    finally:
        if leads:
            _write_down(loop, run, status, because, failed)
            if interruption is not None:
                interruption.summary = summary_of(run.read())
    return summary_of(run.read()) | measured if leads else {}


def _write_down(loop: Loop, run: Run, status: str, because: str, failed: bool) -> None:
    """The end of an attempt, in ledger and record. A full disk must not hide the error that ended it."""
    loop.ledger.reason = because
    try:
        run.update(status=status, ended_because=because, ended=now(), result=result_of(loop, run))
    except (TuppenceError, OSError) as error:
        if not failed:
            raise
        warn(f"{run.run_file} could not be brought up to date: {error}")


def _is_done(job: Job, options: RunOptions, record: dict[str, Any], limits: Limits) -> bool:
    """Whether the run has ended by these limits before, and its model stands."""
    return (
        Run(job.out).has_model()
        and record.get("status") == "done"
        and same_limits(record, limits_asked(job.train, options, limits))
    )


def _resume_from(run: Run, options: RunOptions) -> Path | None:
    """The checkpoint that was asked for; None for the run's own newest one.

    That one it is, too, where the run has gone on from the one asked for before: the same command was given again.
    """
    if options.resume in ("auto", "never"):
        return None
    asked = stage_checkpoint(options.resume)
    if not run.exists() or run.read().get("resumed_from") != location_of(asked.resolve()):
        return asked
    if newest_good_checkpoint(run.checkpoints) is None:
        return asked
    note(f"{run.path} has gone on from {asked} before, and goes on; to begin there again, give another --out")
    return None


def _measured(job: Job, signals: StopSignals, seconds: float = float("inf")) -> dict[str, Any]:
    """What `job.measure` finds; {} where there is no model to measure, or it takes longer than `seconds`."""
    if job.measure is None or not Run(job.out).has_model():
        return {}
    try:
        with signals.abandoning(on_signal=True, seconds=seconds):
            return job.measure()
    except DeadlinePassed:
        warn(f"the run's limits leave no time to measure its result; {Run(job.out).model} stands")
        return {}


def _with_batches(
    execution: Execution, objective: Objective[Any], model: nn.Module, job: Job, record: Mapping[str, Any]
) -> Execution:
    """The execution with how many batches it computes at once; a continued run keeps its own number."""
    chosen = (record.get("machine") or {}).get("batches_at_once")
    if chosen is None:
        chosen = batches_at_once(objective, model, execution, job.train) if job.compile else 1
        chosen = int(execution.world.broadcast_from_rank0(float(chosen)))
    return dataclasses.replace(execution, batches_at_once=int(chosen))


def _memory_hint(train: TrainConfig) -> str:
    """What to lower where a step does not fit into memory, so that the run goes on from its last checkpoint."""
    ways = []
    if train.batch_size > 1:
        size, steps = train.batch_size // 2, train.accumulation_steps * 2
        if train.batch_size % 2 == 0:
            ways.append(f"--set train.batch_size={size} --set train.accumulation_steps={steps} (the same gradients)")
        else:
            ways.append(f"--set train.batch_size=1 --set train.accumulation_steps={train.batch_size * steps // 2}")
    if not train.activation_checkpointing:
        ways.append("--set train.activation_checkpointing=true")
    return "the same command with " + ", or ".join(ways) if ways else "use a smaller model or a shorter context"


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


def _announce(model: nn.Module, limits: Limits, rank_tokens: int, execution: Execution) -> None:
    """What is about to happen and what it can cost, before it starts."""
    sizes, tokens_per_step = model_sizes(model), rank_tokens * execution.world.size
    trained = f" ({sizes['trained_parameters']:,} trained)" if "trained_parameters" in sizes else ""
    parts = [f"{sizes['parameters']:,} parameters{trained}", f"{tokens_per_step:,} tokens a step"]
    if limits.max_steps is not None:
        parts.append(f"{limits.max_steps:,} steps ({limits.max_steps * tokens_per_step:,} tokens)")
    seconds = limits.seconds_left(elapsed=0.0, spent=0.0)
    if seconds < float("inf"):
        parts.append(f"at most {duration(seconds)}")
        if limits.dollars_per_hour:
            parts.append(f"at most ${seconds / 3600 * limits.dollars_per_hour:.4f}")
    elif limits.dollars_per_hour:
        parts.append(f"no cap, at ${limits.dollars_per_hour:g} an hour")
    compiled = ", compiled" if execution.compile else ""
    note(" · ".join([*parts, f"{execution.device} in {execution.precision}{compiled}"]))

"""What every training verb does around the loop, once: `train(job, options)`.

It refuses to mix two different runs in one folder, decides on device, precision, compilation and limits and keeps them
in run.yaml, claims the folder, announces the run and what it can cost, runs the loop, measures the result, and records
how it ended. The same job again continues the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any

import torch

from tuppence.core.console import note, warn
from tuppence.core.environment import choose_device
from tuppence.core.errors import Interrupted, TuppenceError
from tuppence.core.memory import explaining_memory
from tuppence.core.run import Run
from tuppence.core.threads import share_cores
from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.data.records.trained_rows import write_trained_rows
from tuppence.tasks.bill import money_is_gone, open_bill, settle_run_file, summary_of
from tuppence.tasks.choose_execution import choose_execution, memory_hint, with_batches_at_once
from tuppence.tasks.job import Job
from tuppence.tasks.run_file import model_sizes, new_run_file, now, result_of, say_what_differs, settings_of
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.start import Start, announce, limits_of
from tuppence.training.checkpoints import CheckpointManager
from tuppence.training.deadline import Deadline
from tuppence.training.determinism import compute_deterministically
from tuppence.training.distributed import World, join_world, leave_world
from tuppence.training.execution import Execution
from tuppence.training.loop import Loop
from tuppence.training.metrics import MetricsLogger
from tuppence.training.objective import Model, Objective
from tuppence.training.signals import DeadlinePassed, StopSignals, signal_name
from tuppence.training.step import Step
from tuppence.training.throughput import Meter
from tuppence.training.tracking import check_tracker


def train(job: Job[Any], options: RunOptions) -> dict[str, Any]:
    """Trains, or continues to, and measures the result.

    Returns:
        run.yaml's `result`, `status` and `ended_because`, and what `job.measure` found; {} on ranks other than 0.

    Raises:
        InputError: inputs, recipe and run folder do not fit together.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    run = Run(job.out)
    check_tracker(options.track)
    world, device = join_world(choose_device(job.train.device))
    try:
        with StopSignals() as signals, contextlib.ExitStack() as stack:
            start = Start.from_json(world.on_main(lambda: Start.of(run, job, options).as_json()))
            limits = limits_of(job.train, options, job.default_steps(world.size))
            if world.on_main(lambda: start.is_done(job, options, limits)):
                if not world.is_main:
                    return {}
                note(f"{job.out} is done already: it {start.run_file['ended_because']}")
                left = float("inf") if options.ledger is None else options.ledger.seconds_to_cap()
                return summary_of(start.run_file) | _measured(job, signals, left)
            gone = world.on_main(
                lambda: None if options.ledger is not None else money_is_gone(run, options.rate, options.budget_usd)
            )
            if gone:
                if world.is_main:
                    note(gone)
                return summary_of(settle_run_file(run)) if world.is_main else {}
            ledger = _open_ledger(run, options, world, stack)
            summary = _Session(job, options, run, start, world, device, limits, ledger, signals).carry_out()
            if signals.requested is not None:  # while the end was recorded
                interruption = Interrupted(signals.requested)
                interruption.summary = summary
                raise interruption
            return summary
    finally:
        leave_world()


def _open_ledger(run: Run, options: RunOptions, world: World, stack: contextlib.ExitStack) -> Ledger:
    """Rank 0's ledger. Other ranks get a clock that knows what was spent, and exit soon after rank 0's guard."""
    ledger = options.ledger or Ledger(None, options.rate, options.budget_usd, began=options.began)

    def spent() -> float:
        nonlocal ledger
        if options.ledger is None:
            bill = open_bill(
                run, options.rate, options.budget_usd, began=options.began, whole_process=options.whole_process
            )
            ledger = stack.enter_context(bill)
        return ledger.spent_before

    before = float(world.on_main(spent))
    if not world.is_main:
        ledger.spent_before = before
        if options.whole_process and options.budget_usd is not None:
            stack.enter_context(ledger.watching(_exit_after_rank_0))
    return ledger


def _exit_after_rank_0() -> None:
    time.sleep(1.0)
    os._exit(0)


class _Session:
    """One attempt at a job whose folder was checked and whose ledger is open."""

    def __init__(
        self,
        job: Job[Any],
        options: RunOptions,
        run: Run,
        start: Start,
        world: World,
        device: str,
        limits: Limits,
        ledger: Ledger,
        signals: StopSignals,
    ) -> None:
        self.job, self.options, self.run, self.start = job, options, run, start
        self.world, self.device, self.limits = world, device, limits
        self.ledger, self.signals = ledger, signals

    def carry_out(self) -> dict[str, Any]:
        """Builds what is trained, runs the loop, and records how it ended."""
        job, world = self.job, self.world
        world.require_same(_what_is_trained(job), "the ranks read different data or recipes")
        execution, precision, meter = choose_execution(job, self.start.run_file, world, self.device, self.limits)
        compute_deterministically()
        share_cores()
        torch.manual_seed(job.train.seed)
        hint = memory_hint(job.train)
        with self.signals.abandoning(on_signal=world.size == 1), explaining_memory(hint):
            objective, model = job.build(execution.device)
            execution = with_batches_at_once(execution, objective, model, job, self.start.run_file)
        if world.is_main:
            content = new_run_file(self.run, job, self.options, self.limits, execution, precision)
            self.run.update(**content, **model_sizes(model))
            say_what_differs(self.run.read())
        try:
            if world.is_main:
                if job.rows:
                    write_trained_rows(job.out, job.rows, origin=self.start.origin)
                announce(model, self.limits, job.tokens_per_step, execution)
            world.barrier()
            loop = self._make_loop(objective, model, execution, meter)
        except BaseException as error:
            if world.is_main:
                with contextlib.suppress(TuppenceError, OSError):
                    self.run.update(status="failed", ended_because=str(error), ended=now())
            raise
        try:
            return self._run(loop)
        finally:
            loop.step.loss.release()

    def _make_loop(self, objective: Objective[Model], model: Model, execution: Execution, meter: Meter) -> Loop:
        job, config = self.job, self.job.train
        step = Step(objective, model, config, execution)
        deadline = Deadline.of(step, self.limits, self.ledger, meter, closing=job.closing)
        checkpoints = CheckpointManager(self.run, step, self.start.resume)
        logger = MetricsLogger(
            self.run,
            deadline,
            track=self.options.track,
            log_every=config.log_every,
            is_main=self.world.is_main,
        )
        return Loop(
            step,
            deadline,
            checkpoints,
            logger,
            write_result=lambda: job.write_result(model),
            signals=self.signals,
        )

    def _run(self, loop: Loop) -> dict[str, Any]:
        """Runs the loop, measures the result, and records how it ended, however that was."""
        job, is_main, signals = self.job, self.world.is_main, self.signals
        status, because = "failed", "a defect"
        interruption: Interrupted | None = None
        failed = True
        try:
            with explaining_memory(memory_hint(job.train)):
                because = loop.run()
                loop.ledger.doing = "measuring the result"
                left = loop.deadline.seconds_left(save=False, result=False)
                measured = _measured(job, signals, left) if is_main else {}
            if signals.requested is not None:  # after the loop last looked
                raise Interrupted(signals.requested)
            status, failed = "done", False
            if loop.state.step == 0 and is_main:
                warn(f"{because} before the first step: nothing was trained, and no {self.run.model} was written")
        except Interrupted as error:
            interruption = error
            status, because = "stopped", f"stopped by {signal_name(error.signal_number)}"
            if is_main:
                note(f"{job.out}: {_how_it_stopped(loop, because, at_once=error.at_once)}")
            raise
        except TuppenceError as error:
            because = error.message
            raise
        finally:
            if is_main:
                self._record_end(loop, status, because, failed=failed)
                if interruption is not None:
                    interruption.summary = summary_of(self.run.read())
        return summary_of(self.run.read()) | measured if is_main else {}

    def _record_end(self, loop: Loop, status: str, because: str, *, failed: bool) -> None:
        """Records the end of the attempt in ledger and run file. A full disk must not hide the error that ended it."""
        loop.ledger.reason = because
        try:
            self.run.update(status=status, ended_because=because, ended=now(), result=result_of(loop, self.run))
        except (TuppenceError, OSError) as error:
            if not failed:
                raise
            warn(f"{self.run.run_file} could not be brought up to date: {error}")


def _how_it_stopped(loop: Loop, because: str, *, at_once: bool) -> str:
    if not at_once:
        return f"{because} at step {loop.state.step:,}, saved; the same command goes on from there"
    saved = loop.checkpoints.saved_step
    return f"left at once; {'nothing' if saved is None else f'step {saved:,}'} is saved"


def _what_is_trained(job: Job[Any]) -> str:
    fingerprints = {name: value.get("fingerprint") for name, value in job.inputs.items()}
    return json.dumps([fingerprints, settings_of(job)], sort_keys=True, default=str)


def _measured(job: Job[Any], signals: StopSignals, seconds: float = float("inf")) -> dict[str, Any]:
    """What `job.measure` finds; {} where there is no model to measure, or it takes longer than `seconds`."""
    if not job.closing or not Run(job.out).has_model():
        return {}
    try:
        with signals.abandoning(on_signal=True, seconds=seconds):
            return job.measure()
    except DeadlinePassed:
        warn(f"the run's limits leave no time to measure its result; {Run(job.out).model} is complete")
        return {}

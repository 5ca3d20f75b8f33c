"""`train(job, options)`: what all training verbs do around the loop.

It checks that the run folder is new or belongs to the same run, decides limits, device, precision and compilation,
opens the ledger, builds the model, begins the run file, runs the loop, measures the result, and records the end. The
same job again continues the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from tuppence.core.console import note, warn
from tuppence.core.environment import choose_device
from tuppence.core.errors import InputError, Interrupted, TuppenceError
from tuppence.core.memory import explaining_memory
from tuppence.core.run import Run
from tuppence.core.threads import share_cores
from tuppence.cost.billing import billing_here
from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.data.records.trained_rows import write_trained_rows
from tuppence.storage import mirror_of
from tuppence.tasks.attempt import budget_refusal, open_ledger, settle_run_file, summary_of
from tuppence.tasks.choose_execution import check_all_trained, choose_execution, memory_hint, with_batches_at_once
from tuppence.tasks.job import Job
from tuppence.tasks.run_file import (
    limits_asked,
    model_sizes,
    new_run_file,
    now,
    result_of,
    say_what_differs,
    settings_of,
    upload_facts,
)
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.start import Start, announce, find_start, limits_of, same_limits
from tuppence.training.checkpoints import CheckpointManager
from tuppence.training.deadline import Deadline
from tuppence.training.determinism import compute_deterministically
from tuppence.training.distributed import World, join_world, leave_world
from tuppence.training.loop import Loop
from tuppence.training.metrics import MetricsLogger
from tuppence.training.signals import DeadlinePassed, StopSignals, signal_name
from tuppence.training.step import Step
from tuppence.training.throughput import Meter
from tuppence.training.tracking import check_tracker


def train(job: Job[Any], options: RunOptions) -> dict[str, Any]:
    """Trains, or continues a run, and measures the result.

    Returns:
        `status`, `ended_because` and `result` of run.yaml, and what `job.measure` returns; {} on ranks other than 0.

    Raises:
        InputError: inputs, recipe and run folder do not fit together.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    run = Run(job.out)
    check_tracker(options.track)
    world, device = join_world(choose_device(job.train.device))
    try:
        with StopSignals() as signals, contextlib.ExitStack() as stack:
            start = Start(**world.on_main(lambda: asdict(find_start(run, job, options))))
            limits = limits_of(job.train, options, job.default_steps(world.size))
            if world.on_main(lambda: _is_done(run, start.run_file, limits_asked(job.train, options, limits))):
                if not world.is_main:
                    return {}
                _remove_litter(run)
                note(f"{job.out} is done already: it {start.run_file['ended_because']}")
                left = float("inf") if options.ledger is None else options.ledger.seconds_to_budget()
                return summary_of(start.run_file) | _measured(job, signals, left)
            gone = world.on_main(
                lambda: None if options.ledger is not None else budget_refusal(run, options.rate, options.budget_usd)
            )
            if gone:
                if world.is_main:
                    note(gone)
                return summary_of(settle_run_file(run)) if world.is_main else {}
            ledger = _open_ledger(run, options, world, stack)
            attempt = _Attempt(job, options, run, start, world, limits, ledger, signals)
            loop = attempt.build(device)
            try:
                return attempt.run_loop(loop)
            finally:
                loop.step.loss.release()
                del loop  # refers to a model that the ranks divide, which keeps the process group open
    finally:
        leave_world()


def _is_done(run: Run, run_file: dict[str, Any], limits: dict[str, Any]) -> bool:
    """Whether the run has ended by the same limits before, and has a model."""
    return run.has_model() and run_file.get("status") == "done" and same_limits(run_file, limits)


def _remove_litter(run: Run) -> None:
    """Removes the lock that a process left which was killed after the run was done."""
    with contextlib.suppress(InputError):  # a folder that may only be read
        run.claim()()


def _open_ledger(run: Run, options: RunOptions, world: World, stack: contextlib.ExitStack) -> Ledger:
    """The ledger of rank 0. Other ranks get one without a file, for the clock, and exit soon after rank 0's guard."""
    billing = billing_here()
    began = options.began if billing is None else billing.began()
    ledger = options.ledger or Ledger(None, options.rate, options.budget_usd, began=began, billing=billing)

    def spent() -> float:
        nonlocal ledger
        if options.ledger is None:
            opened = open_ledger(
                run, options.rate, options.budget_usd, began=options.began, whole_process=options.whole_process
            )
            ledger = stack.enter_context(opened)
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


@dataclass(frozen=True)
class _Attempt:
    """One attempt at a job, after the folder was checked and the ledger opened."""

    job: Job[Any]
    options: RunOptions
    run: Run
    start: Start
    world: World
    limits: Limits
    ledger: Ledger
    signals: StopSignals

    def build(self, device: str) -> Loop:
        """Builds model, objective and loop, and begins the run file of this attempt."""
        job, world = self.job, self.world
        fingerprints = {name: value.get("fingerprint") for name, value in job.inputs.items()}
        trained = json.dumps([fingerprints, settings_of(job)], sort_keys=True, default=str)
        world.require_same(trained, "the ranks read different data or recipes")
        execution, precision, meter = choose_execution(job, self.start.run_file, world, device, self.limits)
        compute_deterministically()
        share_cores()
        torch.manual_seed(job.train.seed)
        with self.signals.abandoning(on_signal=world.size == 1), explaining_memory(memory_hint(job.train)):
            # a model that does not fit one device is built in the host's memory
            objective, model = job.build("cpu" if execution.sharded else execution.device)
            if execution.sharded:
                world.on_main(lambda: check_all_trained(model))
            execution = with_batches_at_once(execution, objective, model, job, self.start.run_file)
        if world.is_main:
            content = new_run_file(self.run, job, self.options, self.limits, execution, precision)
            self.run.update(**content, **model_sizes(model))
            say_what_differs(self.run.read())
        try:
            if world.is_main:
                if job.rows:
                    write_trained_rows(job.out, job.rows, origin=_path(self.start.origin))
                announce(model, self.limits, job.tokens_per_step, execution)
            world.barrier()
            return self._make_loop(Step(objective, model, job.train, execution), meter)
        except BaseException as error:
            if world.is_main:
                with contextlib.suppress(TuppenceError, OSError):
                    self.run.update(status="failed", ended_because=str(error), ended=now())
            raise

    def _make_loop(self, step: Step, meter: Meter) -> Loop:
        mirror = mirror_of(self.job.out)
        upload_seconds = None if mirror is None else mirror.seconds_for
        deadline = Deadline.of(
            step, self.limits, self.ledger, meter, closing=self.job.closing, upload_seconds=upload_seconds
        )
        return Loop(
            step,
            deadline,
            CheckpointManager(self.run, step, _path(self.start.resume)),
            MetricsLogger(
                self.run,
                deadline,
                track=self.options.track,
                log_every=step.config.log_every,
                is_main=self.world.is_main,
            ),
            write_result=self.job.write_result,
            signals=self.signals,
        )

    def run_loop(self, loop: Loop) -> dict[str, Any]:
        """Runs the loop, measures the result, and records the end of the attempt, also after an error."""
        job, is_main, signals = self.job, self.world.is_main, self.signals
        status, because = "failed", "a defect"
        measured: dict[str, Any] = {}
        at_once = False
        try:
            with explaining_memory(memory_hint(job.train)):
                because = loop.run()
                loop.ledger.doing = "measuring the result"
                left = loop.deadline.seconds_left(save=False, result=False)
                measured = _measured(job, signals, left) if is_main else {}
            if signals.requested is not None:  # after the loop last looked
                raise Interrupted(signals.requested)
            status = "done"
            if loop.state.step == 0 and is_main:
                warn(f"{because} before the first step: nothing was trained, and no {self.run.model} was written")
        except Interrupted as error:
            status, because = "stopped", f"stopped by {signal_name(error.signal_number)}"
            at_once = error.at_once
            if is_main:
                note(f"{job.out}: {_how_it_stopped(loop, because, at_once=error.at_once)}")
            raise
        except TuppenceError as error:
            because = error.message
            raise
        finally:
            if is_main:
                if not at_once:
                    self._send(loop)
                self._record_end(loop, status, because)
        if signals.requested is not None:  # while the end was recorded
            raise Interrupted(signals.requested)
        return summary_of(self.run.read()) | measured if is_main else {}

    def _send(self, loop: Loop) -> None:
        """Copies the last checkpoint and the result to a remote run, while the ledger still counts.

        After a signal nothing is read back, because little time is left. A failure is only a warning here: the rest is
        sent again when the command ends.
        """
        mirror = mirror_of(self.job.out)
        if mirror is None:
            return
        loop.ledger.doing = "copying the run"
        try:
            mirror.flush(verify=self.signals.requested is None)
        except (TuppenceError, OSError) as error:
            warn(f"{self.job.out} could not be copied yet: {error}")

    def _record_end(self, loop: Loop, status: str, because: str) -> None:
        """Records the end in ledger and run file. If the attempt has failed, a full disk must not hide its error."""
        loop.ledger.reason = because
        try:
            self.run.update(
                status=status,
                ended_because=because,
                ended=now(),
                result=result_of(loop, self.run),
                **upload_facts(self.run),
            )
        except (TuppenceError, OSError) as error:
            if status == "done":
                raise
            warn(f"{self.run.run_file} could not be updated: {error}")


def _how_it_stopped(loop: Loop, because: str, *, at_once: bool) -> str:
    if not at_once and loop.state.step == 0:
        return f"{because} before the first step: nothing was trained; the same command starts again"
    if not at_once:
        return f"{because} at step {loop.state.step:,}, saved; the same command continues from there"
    saved = loop.checkpoints.saved_step
    return f"ended at once; {'nothing' if saved is None else f'step {saved:,}'} is saved"


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _measured(job: Job[Any], signals: StopSignals, seconds: float = float("inf")) -> dict[str, Any]:
    """What `job.measure` returns; {} if there is no model, or if it takes longer than `seconds`."""
    if not job.closing or not Run(job.out).has_model():
        return {}
    try:
        with signals.abandoning(on_signal=True, seconds=seconds):
            return job.measure()
    except DeadlinePassed:
        warn(f"the run's limits leave no time to measure its result; {Run(job.out).model} is complete")
        return {}

"""The one loop: every objective that is trained by gradients goes through it.

A task hands it an `Objective` (batches, loss, evaluation, samples); the loop owns accumulation, precision, clipping,
the schedule, logging, limits, signals and checkpoints. Read `Loop.run`, then `step`: the rest is detail.

Covered: data-parallel training on CPU or GPU, resume in the same bits (see `determinism`). Not covered: what a batch or
a loss is (`tasks`), what a checkpoint holds (`keeper`), when a run must end (`deadline`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from torch import nn

from tuppence.core.console import counted
from tuppence.core.errors import Interrupted
from tuppence.core.rundir import RunDir
from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.training.config import TrainConfig
from tuppence.training.deadline import Deadline
from tuppence.training.finite import require_finite_validation, require_finite_weights
from tuppence.training.journal import Journal
from tuppence.training.keeper import Keeper
from tuppence.training.objective import Objective, Sample
from tuppence.training.optim import Optimizers
from tuppence.training.parallel import Machine
from tuppence.training.precision import gradient_scaler
from tuppence.training.schedule import learning_rate_factor
from tuppence.training.signals import DeadlinePassed, StopSignals, signal_name
from tuppence.training.state import State
from tuppence.training.step import Step
from tuppence.training.throughput import Meter
from tuppence.training.tracking import Tracker
from tuppence.training.validation import validate


class Loop:
    """Trains `model` on `objective` until a limit, patience or a signal ends it.

    Args:
        write_result: called at the end with the best weights in the model.
        resume: None for the newest good checkpoint of the run; a path for that one.
        closing: how many evaluations' time to hold back for the measurement of the result.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        model: nn.Module,
        config: TrainConfig,
        limits: Limits,
        machine: Machine,
        meter: Meter,
        run: RunDir,
        ledger: Ledger,
        open_trackers: Callable[[int], list[Tracker]],
        write_result: Callable[[], None],
        resume: Path | None = None,
        closing: float = 0.0,
    ) -> None:
        self.objective, self.model, self.config = objective, model, config
        self.machine, self.world, self.meter = machine, machine.world, meter
        self.ledger, self.write_result = ledger, write_result
        self.optimizers = Optimizers(model.named_parameters(), config, machine.device)
        self.scaler = gradient_scaler(machine.device, machine.precision)
        self.step = Step(
            objective=objective,
            model=model,
            config=config,
            machine=machine,
            optimizers=self.optimizers,
            scale=self.scaler,
        )
        self.loss = self.step.loss
        self.deadline = Deadline(limits, ledger, meter, closing, objective.evaluation_tokens() if limits.timed else 0)
        self.signals = StopSignals()
        self.keeper = Keeper(
            run=run,
            model=model,
            optimizers=self.optimizers,
            scaler=self.scaler,
            objective=objective,
            config=config,
            resume=resume,
        )
        self.journal = Journal(
            run=run,
            ledger=ledger,
            limits=limits,
            meter=meter,
            open_trackers=open_trackers,
            log_every=config.log_every,
            leads=self.world.leads,
        )
        self.state = State()
        self.latest: dict[str, float] = {}
        self.first_step = True

    # ---- the run ---------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Trains until something ends the run; returns what that was.

        Raises:
            Interrupted: by a signal; the state is saved.
            NonFiniteError: a loss or a weight is not finite; the last good checkpoint stands.
            OutOfSpaceError: the disk is full; everything before is intact.
        """
        with self.signals, self.journal.line:
            self.restore()
            while True:
                ending, progress = self.decide()
                if ending is None and self.evaluation_due():
                    self.evaluate()
                    ending = self.out_of_patience() or self.decide()[0]  # a signal may have cut it short
                if ending is not None:
                    break
                if self.checkpoint_due():
                    self.save()
                try:
                    self.training_step(progress)
                except (DeadlinePassed, Interrupted):  # nothing was updated: the state is that of the step before
                    self.optimizers.zero_grad()
                    continue
                if self.world.leads:
                    self.journal.step(self.state, self.deadline.elapsed(), **self.latest)
            return self.finish(ending)

    def training_step(self, progress: float) -> None:
        """Accumulates gradients over the micro-batches, divides once by the *global* number of targets, updates."""
        step, started = self.state.step, time.monotonic()
        rate = self.optimizers.set_rate(learning_rate_factor(self.config, step, progress))
        alone = self.world.size == 1  # a rank that leaves alone would keep the others waiting
        seconds = self.deadline.seconds_left() if alone else math.inf
        with self.signals.abandoning(on_signal=self.first_step and alone, seconds=seconds):
            gradients = self.step.accumulate(step)
        self.step.update(gradients)
        self.state.count_step(gradients.tokens)
        self.latest = {**self.latest, "learning_rate": rate, **self.objective.gauges()}
        self.look(at_all=self.first_step or self.state.step % self.config.log_every == 0 or self._is_near_the_end())
        self._account_for(time.monotonic() - started, gradients.tokens)

    def look(self, *, at_all: bool) -> None:
        """Takes in what the steps came to, as far as the device has told it.

        Args:
            at_all: wait for the device, and take in every step.

        Raises:
            NonFiniteError: a step was not finite; no such step has changed a weight.
        """
        for outcome in self.step.outcomes(all_of_them=at_all):
            self.state.count_sums(outcome.targets, outcome.sums)
            self.latest["grad_norm"] = outcome.norm
            if outcome.loss_scale is not None:
                self.latest |= {"loss_scale": outcome.loss_scale, "skipped_steps": self.scaler.skipped}

    def finish(self, ending: str) -> str:
        """Saves, evaluates once more unless interrupted, and writes the result from the best weights."""
        self.optimizers.zero_grad()
        if self.signals.requested is None and self.state.step > 0 and self.state.evaluated_step != self.state.step:
            self.evaluate()
            self.decide()  # a signal may have cut it short, on any rank: then the run is not done
        interrupted = self.signals.requested
        if self.keeper.saved_step != self.state.step:
            self.save()
        if self.world.leads:
            self.keeper.take_best_weights(self.state)
            self.write_result()
            self.journal.close()
        self.world.wait()
        if interrupted is not None:
            raise Interrupted(interrupted)
        return ending

    # ---- decisions: rank 0's clock decides for all -----------------------------------------------------------

    def decide(self) -> tuple[str | None, float]:
        """Why the run ends here, or None; and how much of it is done, 0 to 1."""
        ending, progress = self.deadline.reached(self.state.step)
        if self.signals.requested is not None:
            ending = f"stopped by {signal_name(self.signals.requested)}"
        if self.world.size > 1:
            (stops,) = self.machine.sum([float(self.signals.requested or 0)])
            ends = self.machine.agree(float(ending is not None))
            progress = self.machine.agree(progress)
            if ending is None and (ends or stops):
                ending = "another rank ended the run"
            if stops and self.signals.requested is None:
                self.signals.requested = int(stops)
            if not (ends or stops):
                ending = None
        return ending, progress

    def evaluation_due(self) -> bool:
        every, step = self.config.eval_every, self.state.step
        return bool(every) and step > 0 and step % every == 0 and self.state.evaluated_step != step

    def checkpoint_due(self) -> bool:
        if self.keeper.saved_step == self.state.step:
            return False
        on_clock = self.machine.agree(float(self.keeper.due_by_clock()))
        return self.keeper.due_by_step(self.state.step) or bool(on_clock)

    def out_of_patience(self) -> str | None:
        patience = self.config.patience
        if patience and self.state.without_gain >= patience:
            return f"no better validation loss in {counted(patience, 'evaluation')}"
        return None

    # ---- evaluation, saving, restoring -----------------------------------------------------------------------

    def evaluate(self) -> None:
        """Saves first (an evaluation can be long), then scores the held-out batches and shows what the model writes."""
        if self.keeper.saved_step != self.state.step:
            self.save()
        before = self.state.clock.evaluation
        with self.state.clock.time("evaluation"):
            scores = validate(self.objective, self.model, self.machine, self._may_go_on)
            if scores is None:
                return
            require_finite_validation(scores["loss"], step=self.state.step)
            self.state.count_evaluation(scores)
            samples = self.samples()
        self.deadline.evaluation_seconds = self.state.clock.evaluation - before
        if self.world.leads:
            self.journal.evaluation(self.state, self.deadline.elapsed(), samples)

    def samples(self) -> list[Sample]:
        """What the model writes now, where it is time for that."""
        every = self.config.sample_every
        if not self.world.leads or (every and self.state.step % every):
            return []
        self.model.eval()
        samples = self.objective.samples(self.model)
        self.model.train()
        return samples

    def save(self) -> None:
        """Keeps the present state; weights that are not finite never replace good ones."""
        waited = time.monotonic()
        self.look(at_all=True)
        self.state.clock.train += time.monotonic() - waited
        before = self.state.clock.checkpoint
        with self.state.clock.time("checkpoint"):
            require_finite_weights(self.optimizers.parameters(), step=self.state.step)
            self.state.elapsed = self.deadline.elapsed()
            self.keeper.save(self.state, write=self.world.leads)
            self.world.wait()
        self.deadline.save_seconds = self.state.clock.checkpoint - before

    def restore(self) -> None:
        """Takes up where the newest good checkpoint (or the one asked for) stands; else starts at step 0."""
        if self.world.leads:
            self.keeper.clean_up()
        self.world.wait()
        marks: dict[str, int] = {}
        found = self.keeper.restore()
        if found is not None:
            path, self.state, marks = found
            self.deadline.elapsed_before = self.state.elapsed
            if self.world.leads:
                self.keeper.set_aside_after(self.state.step)
                self.journal.line.say(f"continuing from {path} (step {self.state.step})")
        self.journal.open(self.state.step, marks)
        self.world.wait()
        self.model.train()

    # ---- small parts -----------------------------------------------------------------------------------------

    def _is_near_the_end(self) -> bool:
        """Whether time or money are short: then no step is left to a device that works behind the host's clock."""
        return self.deadline.seconds_left() < 5 * (self.meter.step_seconds or 0.0)

    def _may_go_on(self) -> bool:
        """Asked between the batches of a validation: neither a signal nor the end of time or money."""
        return self.signals.requested is None and self.deadline.seconds_left() > 0

    def _account_for(self, seconds: float, tokens: int) -> None:
        if self.first_step:
            self.state.clock.startup += seconds
            self.first_step = False
        else:
            self.state.clock.train += seconds
            self.state.timed_tokens += tokens
            self.meter.record(seconds, tokens)

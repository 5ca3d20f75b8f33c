"""The training loop: every objective that is trained by gradients runs through `Loop.run`.

A task provides an `Objective` (batches, loss, evaluation, samples). `Step` accumulates, clips and updates; the loop
calls it until `Deadline`, patience or a signal ends the run, and decides when to evaluate, log and save.

Covered: data-parallel training on CPU or GPU; a resumed run has the same bits as an uninterrupted one (`determinism`).
Not covered: batches and losses (`tasks`), what a checkpoint holds (`checkpoints`), when a run must end (`deadline`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from torch import nn

from tuppence.core.console import counted
from tuppence.core.errors import Interrupted, NonFiniteError
from tuppence.training.checkpoints import CheckpointManager
from tuppence.training.deadline import Deadline
from tuppence.training.finite import all_finite, require_finite_validation, require_finite_weights
from tuppence.training.metrics import MetricsLogger
from tuppence.training.objective import Sample
from tuppence.training.schedule import learning_rate_factor, schedule_surprises
from tuppence.training.selection import Selection
from tuppence.training.signals import DeadlinePassed, StopSignals, signal_name
from tuppence.training.state import State
from tuppence.training.step import Step
from tuppence.training.validation import generate_samples, validate


class Loop:
    """Trains until a limit, patience or a signal ends the run.

    Args:
        step: the model, its objective and its optimizers.
        deadline: the limits, and the clock and ledger that they are measured by.
        checkpoints, logger: where the run is saved and logged.
        write_result: called at the end with the model, which has the weights of the result.
        signals: signals that stop the run; the caller may have entered this context already.

    Attributes:
        state: counts and scores.
        selected: the weights that `write_result` was called with; None before it is called.
    """

    def __init__(
        self,
        step: Step,
        deadline: Deadline,
        checkpoints: CheckpointManager,
        logger: MetricsLogger,
        *,
        write_result: Callable[[nn.Module], None],
        signals: StopSignals | None = None,
    ) -> None:
        self.step, self.deadline, self.checkpoints, self.logger = step, deadline, checkpoints, logger
        self.objective, self.model, self.config = step.objective, step.model, step.config
        self.world, self.ledger = step.execution.world, deadline.ledger
        self.write_result, self.signals = write_result, signals or StopSignals()
        self.state = State()
        self.latest: dict[str, float] = {}
        self.selected: Selection | None = None
        self.first_step = True

    # ---- the run ---------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Trains until a limit, patience or a signal ends the run; returns the reason.

        Raises:
            Interrupted: by a signal; the state is saved.
            NonFiniteError: a loss or a weight is not finite; the last good checkpoint is kept.
            OutOfSpaceError: the disk is full; everything written before is intact.
        """
        with self.signals, self.logger.line:
            self.restore()
            self.ledger.startup_seconds = self.ledger.seconds()
            ending, progress = self.decide()
            if ending is None:
                self.score_start()
                self.explain_schedule(progress)
            while True:
                ending, progress = self.decide()
                if ending is None and self.evaluation_due():
                    self.evaluate()
                    ending = self.decide()[0]  # a signal may have ended it early
                ending = ending or self.out_of_patience()
                if ending is not None:
                    break
                if self.checkpoint_due():
                    self.save()
                self.ledger.doing = "training"
                try:
                    self.training_step(progress)
                except (DeadlinePassed, Interrupted) as cut:
                    # nothing was updated: the state is that of the step before
                    self.step.optimizers.zero_grad()
                    if isinstance(cut, Interrupted) and cut.at_once:
                        raise
                    continue
                self.logger.step(self.state, **self.latest)
            return self.finish(ending)

    def training_step(self, progress: float) -> None:
        """Accumulates gradients over the micro-batches, divides once by the *global* number of targets, updates."""
        step, started = self.state.step, time.monotonic()
        factor = learning_rate_factor(self.config, step, progress)
        rate = self.step.optimizers.set_rate(factor)
        alone = self.world.size == 1  # if one rank stopped here, the others would wait for it
        seconds = self.deadline.seconds_left(score=True) if alone else math.inf
        with self.signals.abandoning(on_signal=alone, seconds=seconds):
            gradients = self.step.accumulate(step)
        self.step.update(gradients)
        self.state.step += 1
        self.state.rate_factor = factor
        self.latest = {**self.latest, "learning_rate": rate, **self.objective.gauges()}
        logs = self.state.step % self.config.log_every == 0
        self.read_outcomes(wait=self.first_step or logs or self._is_near_the_end())
        self._record_time(time.monotonic() - started, gradients.tokens)

    def read_outcomes(self, *, wait: bool) -> None:
        """Counts the steps whose losses have arrived from the device.

        Args:
            wait: whether to wait for the device, so that every step is counted.

        Raises:
            NonFiniteError: a step was not finite, and the weights were not updated.
        """
        for outcome in self.step.outcomes(all_of_them=wait):
            try:
                self.step.require_finite(outcome)
            except NonFiniteError:
                self.state.step = outcome.step  # neither this step nor those started after it count as trained
                raise
            self.state.count_outcome(outcome.tokens if outcome.updated else 0, outcome.targets, outcome.sums)
            self.latest["grad_norm"] = outcome.norm
            if outcome.loss_scale is not None:
                self.latest |= {"loss_scale": outcome.loss_scale, "skipped_steps": self.step.scaler.skipped}

    def finish(self, ending: str) -> str:
        """Scores the last weights unless a signal ended the run, saves, and writes the result from the best ones."""
        self.step.optimizers.zero_grad()
        self.decide()  # shares a signal with all ranks
        if self.signals.requested is None and self.state.step > 0 and self.state.evaluated_step != self.state.step:
            self.evaluate()
            self.decide()  # a signal on any rank may have ended it early: then the run is not done
        if self.checkpoints.saved_step != self.state.step:
            self.save()
        if self.world.is_main:
            if self.state.step > 0:
                self.ledger.doing = "writing the model"
                self.selected, model = self.checkpoints.load_result(self.state)
                self.write_result(model)
            self.logger.close()
        self.world.barrier()
        if self.signals.requested is not None:  # before, or while the result was written
            raise Interrupted(self.signals.requested)
        return ending

    # ---- decisions: rank 0's clock decides for all -----------------------------------------------------------

    def decide(self) -> tuple[str | None, float]:
        """The reason why the run ends now, or None; and the share of the run that is done, 0 to 1."""
        ending, progress = self.deadline.reached(self.state.step)
        if self.signals.requested is not None:
            ending = f"stopped by {signal_name(self.signals.requested)}"
        if self.world.size > 1:
            requested = int(self.world.largest(float(self.signals.requested or 0)))
            ends = self.world.broadcast_from_rank0(float(ending is not None))
            progress = self.world.broadcast_from_rank0(progress)
            if requested and self.signals.requested is None:
                self.signals.requested = requested
            if requested:
                ending = f"stopped by {signal_name(requested)}"
            elif not ends:
                ending = None
            elif ending is None:
                ending = "another rank ended the run"
        return ending, progress

    def evaluation_due(self) -> bool:
        return self.checkpoints.evaluation_due(self.state.step) and self.state.evaluated_step != self.state.step

    def checkpoint_due(self) -> bool:
        if self.checkpoints.saved_step == self.state.step:
            return False
        first = self.deadline.limits.timed and self.checkpoints.saved_step is None and self.state.step > 0
        by_clock = self.world.broadcast_from_rank0(float(self.checkpoints.due_by_clock()))
        return first or self.checkpoints.due_by_step(self.state.step) or bool(by_clock)

    def out_of_patience(self) -> str | None:
        patience = self.config.patience
        if patience and self.state.evals_since_best >= patience:
            return f"ran out of patience: no better validation loss in {counted(patience, 'evaluation')}"
        return None

    # ---- evaluation, saving, restoring -----------------------------------------------------------------------

    def score_start(self) -> None:
        """Scores the weights that training starts from, if they may be better than the trained ones.

        Also if the run continues a checkpoint of another run, whose scores are of other data. It may take a tenth of
        the remaining time.
        """
        fresh = self.state.step == 0 and self.objective.scores_start
        if (fresh or self.checkpoints.from_elsewhere) and self.state.evaluated_step is None:
            left = self.deadline.seconds_left()
            self.evaluate(go_on=lambda: self.deadline.seconds_left() > 0.9 * left or math.isinf(left))

    def evaluate(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Saves first (an evaluation can be long), then scores the held-out batches and logs samples.

        Args:
            go_on: called between batches; False ends the evaluation without a score.
        """
        if self.checkpoints.saved_step != self.state.step:
            self.save()
        self.ledger.doing = "evaluating"
        before = self.state.clock.evaluation
        with self.state.clock.time("evaluation"):
            scores = validate(self.step, lambda: self._may_go_on() and go_on())
            if scores is None:
                return
            require_finite_validation(scores["loss"], step=self.state.step)
            self.state.count_evaluation(
                scores,
                asked_for=self.checkpoints.evaluation_due(self.state.step),
                may_be_best=self.checkpoints.may_be_result(self.state.step),
            )
            samples = self.samples()
        self.deadline.evaluation_seconds = self.state.clock.evaluation - before
        self.logger.evaluation(self.state, samples)

    def samples(self) -> list[Sample]:
        """Texts that the model generates now, on rank 0; empty if none are due."""
        every = self.config.sample_every
        if not self.world.is_main or (every and self.state.step % every):
            return []
        alone = self.world.size == 1
        seconds = self.deadline.seconds_left(save=False) if alone else math.inf
        model = self.checkpoints.saved_model()
        return generate_samples(self.objective, model, self.signals, on_signal=alone, seconds=seconds)

    def save(self) -> None:
        """Saves the present state. Weights that are not finite are never saved."""
        self.ledger.doing = "saving"
        waited = time.monotonic()
        self.read_outcomes(wait=True)
        self.state.clock.train += time.monotonic() - waited
        before = self.state.clock.checkpoint
        with self.state.clock.time("checkpoint"):
            broken = self.world.largest(float(not all_finite(self.step.optimizers.parameters())))
            require_finite_weights(not broken, step=self.state.step)
            self.state.elapsed = self.deadline.elapsed()
            self.checkpoints.save(self.state)
            self.world.barrier()
        self.deadline.save_seconds = self.state.clock.checkpoint - before

    def restore(self) -> None:
        """Continues from the newest good checkpoint or that of `--resume`; without one, starts at step 0."""
        marks: dict[str, int] = {}
        found = self.checkpoints.restore()
        if found is not None:
            path, self.state, marks = found
            self.deadline.elapsed_before = self.state.elapsed
            self.logger.say(f"continuing from {path} (step {self.state.step})")
        self.logger.open(self.state.step, marks)
        self.world.barrier()
        self.model.train()

    # ---- small parts -----------------------------------------------------------------------------------------

    def explain_schedule(self, progress: float) -> None:
        """Prints where the learning rate differs from what a user expects from the recipe."""
        said = schedule_surprises(
            self.config,
            max_steps=self.deadline.limits.max_steps,
            step=self.state.step,
            progress=progress,
            last_factor=self.state.rate_factor,
        )
        for sentence in said:
            self.logger.say(sentence)

    def _is_near_the_end(self) -> bool:
        """Whether little time or money is left; the loop then waits for the device in every step."""
        return self.deadline.seconds_left() < 5 * (self.deadline.meter.step_seconds or 0.0)

    def _may_go_on(self) -> bool:
        """Whether a validation may continue: no signal has arrived, and time and money are left."""
        return self.signals.requested is None and self.deadline.seconds_left(save=False) > 0

    def _record_time(self, seconds: float, tokens: int) -> None:
        if self.first_step:
            self.state.clock.startup += seconds
            self.first_step = False
        else:
            self.state.clock.train += seconds
            self.state.timed_tokens += tokens
            self.deadline.meter.record(seconds, tokens)

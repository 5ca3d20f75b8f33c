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
from tuppence.core.run import Run
from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.training.config import TrainConfig
from tuppence.training.deadline import Deadline
from tuppence.training.finite import require_finite_validation, require_finite_weights
from tuppence.training.journal import Journal
from tuppence.training.keeper import Chosen, Keeper
from tuppence.training.objective import Objective, Sample
from tuppence.training.optim import Optimizers
from tuppence.training.parallel import Machine
from tuppence.training.precision import gradient_scaler
from tuppence.training.schedule import LONGEST_WARMUP, learning_rate_factor
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
        signals: what asks the run to stop; the caller may have entered it already.

    Attributes:
        chosen: which weights `write_result` was given; None before, and where there was nothing to write.
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
        run: Run,
        ledger: Ledger,
        open_trackers: Callable[[int], list[Tracker]],
        write_result: Callable[[], None],
        resume: Path | None = None,
        closing: float = 0.0,
        signals: StopSignals | None = None,
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
        trained_bytes = 4 * sum(parameter.numel() for parameter in self.optimizers.parameters())
        self.deadline = Deadline(
            limits,
            ledger,
            meter,
            closing,
            evaluation_tokens=objective.evaluation_tokens() if limits.timed else 0,
            state_bytes=3 * trained_bytes,
            result_bytes=4 * sum(parameter.numel() for parameter in model.parameters()),
        )
        self.limits = limits
        self.signals = signals or StopSignals()
        self.keeper = Keeper(
            run=run,
            model=model,
            optimizers=self.optimizers,
            scaler=self.scaler,
            objective=objective,
            config=config,
            resume=resume,
            world=self.world,
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
        self.chosen: Chosen | None = None
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
            self.ledger.startup_seconds = self.ledger.seconds()
            ending, progress = self.decide()
            if ending is None:
                self.score_start()
                self.say_what_the_schedule_does(progress)
            while True:
                ending, progress = self.decide()
                if ending is None and self.evaluation_due():
                    self.evaluate()
                    ending = self.decide()[0]  # a signal may have cut it short
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
                    self.optimizers.zero_grad()
                    if isinstance(cut, Interrupted) and cut.at_once:
                        raise
                    continue
                self.state.rate_factor = learning_rate_factor(self.config, self.state.step - 1, progress)
                if self.world.leads:
                    self.journal.step(self.state, self.deadline.elapsed(), **self.latest)
            return self.finish(ending)

    def training_step(self, progress: float) -> None:
        """Accumulates gradients over the micro-batches, divides once by the *global* number of targets, updates."""
        step, started = self.state.step, time.monotonic()
        rate = self.optimizers.set_rate(learning_rate_factor(self.config, step, progress))
        alone = self.world.size == 1  # a rank that leaves alone would keep the others waiting
        seconds = self.deadline.seconds_left(score=True) if alone else math.inf
        with self.signals.abandoning(on_signal=alone, seconds=seconds):
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
        """Saves, scores the last weights unless interrupted, and writes the result from the best."""
        self.optimizers.zero_grad()
        self.decide()  # every rank knows of a signal, or none does
        if self.signals.requested is None and self.state.step > 0 and self.state.evaluated_step != self.state.step:
            self.evaluate()
            self.decide()  # a signal may have cut it short, on any rank: then the run is not done
        if self.keeper.saved_step != self.state.step:
            self.save()
        if self.world.leads:
            if self.state.step > 0:
                self.ledger.doing = "writing the model"
                self.chosen = self.keeper.choose_weights(self.state)
                self.write_result()
            self.journal.close()
        self.world.wait()
        if self.signals.requested is not None:  # before, or while the result was written
            raise Interrupted(self.signals.requested)
        return ending

    # ---- decisions: rank 0's clock decides for all -----------------------------------------------------------

    def decide(self) -> tuple[str | None, float]:
        """Why the run ends here, or None; and how much of it is done, 0 to 1."""
        ending, progress = self.deadline.reached(self.state.step)
        if self.signals.requested is not None:
            ending = f"stopped by {signal_name(self.signals.requested)}"
        if self.world.size > 1:
            requested = int(self.machine.largest(float(self.signals.requested or 0)))
            ends = self.machine.agree(float(ending is not None))
            progress = self.machine.agree(progress)
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
        return self.keeper.evaluation_due(self.state.step) and self.state.evaluated_step != self.state.step

    def checkpoint_due(self) -> bool:
        if self.keeper.saved_step == self.state.step:
            return False
        first = self.limits.timed and self.keeper.saved_step is None and self.state.step > 0
        on_clock = self.machine.agree(float(self.keeper.due_by_clock()))
        return first or self.keeper.due_by_step(self.state.step) or bool(on_clock)

    def out_of_patience(self) -> str | None:
        patience = self.config.patience
        if patience and self.state.without_gain >= patience:
            return f"ran out of patience: no better validation loss in {counted(patience, 'evaluation')}"
        return None

    # ---- evaluation, saving, restoring -----------------------------------------------------------------------

    def score_start(self) -> None:
        """Scores the weights that training starts from, where they may be better than what becomes of them.

        Also where the run goes on from another run's checkpoint, whose scores are of other data. A tenth of the time
        that is left is the most it may take.
        """
        fresh = self.state.step == 0 and self.objective.scores_start
        if (fresh or self.keeper.from_elsewhere) and self.state.evaluated_step is None:
            left = self.deadline.seconds_left()
            self.evaluate(go_on=lambda: self.deadline.seconds_left() > 0.9 * left or math.isinf(left))

    def evaluate(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Saves first (an evaluation can be long), then scores the held-out batches and shows what the model writes.

        Args:
            go_on: asked between batches; False gives the evaluation up.
        """
        if self.keeper.saved_step != self.state.step:
            self.save()
        self.ledger.doing = "evaluating"
        before = self.state.clock.evaluation
        with self.state.clock.time("evaluation"):
            scores = validate(self.objective, self.model, self.machine, lambda: self._may_go_on() and go_on())
            if scores is None:
                return
            require_finite_validation(scores["loss"], step=self.state.step)
            self.state.count_evaluation(
                scores,
                asked_for=self.keeper.evaluation_due(self.state.step),
                may_be_best=self.keeper.may_be_result(self.state.step),
            )
            samples = self.samples()
        self.deadline.evaluation_seconds = self.state.clock.evaluation - before
        if self.world.leads:
            self.journal.evaluation(self.state, self.deadline.elapsed(), samples)

    def samples(self) -> list[Sample]:
        """What the model writes now, where it is time for that; none where a signal or the clock cuts it short."""
        every = self.config.sample_every
        if not self.world.leads or (every and self.state.step % every):
            return []
        self.model.eval()
        try:
            alone = self.world.size == 1
            seconds = self.deadline.seconds_left(save=False) if alone else math.inf
            with self.signals.abandoning(on_signal=alone, seconds=seconds):
                return self.objective.samples(self.model)
        except DeadlinePassed:
            return []
        except Interrupted as interruption:
            if interruption.at_once:
                raise
            return []
        finally:
            self.model.train()

    def save(self) -> None:
        """Keeps the present state; weights that are not finite never replace good ones."""
        self.ledger.doing = "saving"
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
        return self.signals.requested is None and self.deadline.seconds_left(save=False) > 0

    def say_what_the_schedule_does(self, progress: float) -> None:
        """Tells where the learning rate is not what a person expects of the recipe."""
        config, state = self.config, self.state
        if not self.world.leads:
            return
        steps = self.limits.max_steps
        longest = math.ceil(LONGEST_WARMUP * steps) if steps else math.inf
        if "warmup_steps" in config.model_fields_set and config.warmup_steps > longest:
            self.journal.line.say(
                f"warm-up takes {longest:,} of the recipe's {config.warmup_steps:,} steps: at most a tenth of the run"
            )
        if config.patience and not config.eval_every:
            self.journal.line.say("train.patience has no effect: train.eval_every is 0")
        factor = learning_rate_factor(config, state.step, progress)
        warm = state.step >= config.warmup_steps or progress >= LONGEST_WARMUP
        if state.rate_factor is not None and factor > 1.05 * state.rate_factor and warm:
            peak = config.learning_rate
            self.journal.line.say(
                f"the learning rate rises again, from {state.rate_factor * peak:.2g} to {factor * peak:.2g}: "
                "the schedule now stretches over the longer run"
            )

    def _account_for(self, seconds: float, tokens: int) -> None:
        if self.first_step:
            self.state.clock.startup += seconds
            self.first_step = False
        else:
            self.state.clock.train += seconds
            self.state.timed_tokens += tokens
            self.meter.record(seconds, tokens)

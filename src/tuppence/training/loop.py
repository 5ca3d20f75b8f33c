"""The one loop: every objective that is trained by gradients goes through it.

A task hands it an `Objective` (batches, loss, evaluation, samples); the loop owns accumulation, precision, clipping,
the schedule, logging, limits, signals and checkpoints. Read `Loop.run`, then `Loop.training_step`: the rest is detail.

Covered: data-parallel training on CPU or GPU, exact resume. Not covered: what a batch or a loss is (`tasks`), how a
checkpoint is kept (`checkpoint`), when a run must end (`cost.limits`).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tuppence.core.console import counted, warn
from tuppence.core.errors import CorruptFileError, InputError, Interrupted, NonFiniteError
from tuppence.core.rundir import RunDir
from tuppence.cost.ledger import Ledger
from tuppence.cost.limits import Limits
from tuppence.training.checkpoint import (
    Checkpoint,
    checkpoint_path,
    load_checkpoint,
    newest_good_checkpoint,
    prune_checkpoints,
    remove_leftovers,
    save_checkpoint,
    set_aside_after,
)
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import World
from tuppence.training.journal import Journal
from tuppence.training.objective import Batch, Objective, Sample, count_targets
from tuppence.training.optim import Optimizers
from tuppence.training.precision import autocast, gradient_scaler
from tuppence.training.schedule import learning_rate_factor
from tuppence.training.signals import DeadlinePassed, StopSignals
from tuppence.training.state import State
from tuppence.training.throughput import Meter
from tuppence.training.tracking import Tracker


@dataclass(frozen=True)
class Machine:
    """What the loop runs on, decided once per run and kept in run.yaml: a resumed run computes the same bits."""

    device: str
    precision: str
    compile: bool
    world: World = field(default_factory=World)


class Loss(nn.Module):
    """The objective's loss as a module, so that torch can wrap model and loss together."""

    def __init__(self, objective: Objective, model: nn.Module) -> None:
        super().__init__()
        self.objective, self.model = objective, model

    def forward(self, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.objective.loss(self.model, *batch)


class Loop:
    """Trains `model` on `objective` until a limit, patience or a signal ends it.

    Args:
        write_result: called at the end with the best weights in the model.
        resume: None for the newest good checkpoint of the run; a path for that one.
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
    ) -> None:
        self.objective, self.model, self.config, self.limits = objective, model, config, limits
        self.machine, self.world, self.meter = machine, machine.world, meter
        self.run_dir, self.ledger, self.write_result, self.resume = run, ledger, write_result, resume
        self.optimizers = Optimizers(model.named_parameters(), config, machine.device)
        self.scaler = gradient_scaler(machine.device, machine.precision)
        self.loss = self._wrap(model)
        self.state = State()
        self.latest: dict[str, float] = {}
        self.signals = StopSignals()
        self.journal = Journal(
            run=run,
            ledger=ledger,
            limits=limits,
            meter=meter,
            open_trackers=open_trackers,
            log_every=config.log_every,
            leads=self.world.leads,
        )
        self.saved_step: int | None = None
        self.saved_at = time.monotonic()
        self.elapsed_before = 0.0
        self.first_step = True
        self.save_seconds = self.evaluation_seconds = 0.0

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
                    self.journal.step(self.state, self.elapsed(), **self.latest)
            return self.finish(ending)

    def training_step(self, progress: float) -> None:
        """Accumulates gradients over the micro-batches, divides once by the *global* number of targets, updates."""
        step, started = self.state.step, time.monotonic()
        torch.manual_seed(_mix(self.config.seed, step, self.world.rank))  # dropout; stateless, so resume is exact
        rate = self.optimizers.set_rate(learning_rate_factor(self.config, step, progress))
        alone = self.world.size == 1  # a rank that leaves alone would keep the others waiting
        seconds = self.seconds_left() if alone else math.inf
        with self.signals.abandoning(on_signal=self.first_step and alone, seconds=seconds):
            with autocast(self.machine.device, self.machine.precision):
                self.objective.prepare(step, self.model)
            batches = self.objective.batches(step, self.world.rank, self.world.size)
            counts = [float(sum(map(count, batches))) for count in (count_targets, self.objective.tokens)]
            targets, tokens = self.world.sum(counts, self.machine.device)
            sums = self._zeros(self.objective.metrics)
            for index, batch in enumerate(batches):
                with self._synchronizing(index == len(batches) - 1):
                    with autocast(self.machine.device, self.machine.precision):
                        loss, metrics = self.loss(*self._to_device(batch))
                    # DistributedDataParallel averages over ranks; we want the sum
                    scaled = self.scaler.scale(loss * (self.world.size / max(targets, 1.0)))
                    torch.autograd.backward(scaled)
                _add(sums, loss, metrics)
            self.optimizers.unscale(self.scaler)
            norm = nn.utils.clip_grad_norm_(self.optimizers.parameters(), self.config.gradient_clip or math.inf)
            loss_sum, *metric_sums = self.world.sum([float(value) for value in sums.values()], self.machine.device)
            self._require_finite(loss_sum, float(norm))

        self.optimizers.step(self.scaler)
        self.optimizers.zero_grad()
        self.state.step += 1
        self.state.tokens += int(tokens)
        self.state.window_loss += loss_sum
        self.state.window_targets += int(targets)
        for name, value in zip(list(sums)[1:], metric_sums, strict=True):
            self.state.window_metrics[name] = self.state.window_metrics.get(name, 0.0) + value
        self._account_for(time.monotonic() - started, int(tokens))
        self.latest = {"learning_rate": rate, "grad_norm": float(norm), **self.objective.gauges()}

    def finish(self, ending: str) -> str:
        """Saves, evaluates once more unless interrupted, and writes the result from the best weights."""
        interrupted = self.signals.requested
        self.optimizers.zero_grad()
        if interrupted is None and self.state.step > 0 and self.state.evaluated_step != self.state.step:
            self.evaluate()
        if self.saved_step != self.state.step:
            self.save()
        if self.world.leads:
            self.take_best_weights()
            self.write_result()
            self.journal.close()
        self.world.wait()
        if interrupted is not None:
            raise Interrupted(interrupted)
        return ending

    def take_best_weights(self) -> None:
        """Puts the weights of the lowest validation loss into the model; keeps the last ones where there was none."""
        best = self.state.best_step
        if best is None or best == self.state.step:
            return
        try:
            load_trained(self.model, load_checkpoint(checkpoint_path(self.run_dir.checkpoints, best)).model)
        except (InputError, CorruptFileError) as error:
            warn(f"{error.message}; the result has the last weights instead of the best")

    # ---- decisions: rank 0's clock decides for all -----------------------------------------------------------

    def decide(self) -> tuple[str | None, float]:
        """Why the run ends here, or None; and how much of it is done, 0 to 1."""
        self.ledger.tick()
        elapsed, spent, reserve = self.elapsed(), self.ledger.dollars(), self.reserve()
        at = {"step": self.state.step, "elapsed": elapsed, "spent": spent, "reserve": reserve}
        ending = self.limits.reached(**at)  # type: ignore[arg-type]
        if self.signals.requested is not None:
            ending = f"stopped by signal {self.signals.requested}"
        progress = self.limits.progress(**at)  # type: ignore[arg-type]
        if self.world.size > 1:
            (stops,) = self.world.sum([float(self.signals.requested or 0)], self.machine.device)
            ends = self.world.broadcast(float(ending is not None), self.machine.device)
            progress = self.world.broadcast(progress, self.machine.device)
            if ending is None and (ends or stops):
                ending = "another rank ended the run"
            if stops and self.signals.requested is None:
                self.signals.requested = int(stops)
            if not (ends or stops):
                ending = None
        return ending, progress

    def elapsed(self) -> float:
        """Wall seconds of the run, all attempts that led here."""
        return self.elapsed_before + self.ledger.seconds()

    def reserve(self) -> float:
        """Seconds that one more step, the last evaluation, the last save and the result would take."""
        step = self.meter.step_seconds or 0.0
        return 1.5 * step + 1.2 * self.evaluation_seconds + 2.5 * self.save_seconds

    def seconds_left(self) -> float:
        """Seconds until the time or the dollar limit, less what saving takes."""
        left = self.limits.seconds_left(elapsed=self.elapsed(), spent=self.ledger.dollars())
        return left - 2.5 * self.save_seconds

    def evaluation_due(self) -> bool:
        every, step = self.config.eval_every, self.state.step
        return bool(every) and step > 0 and step % every == 0 and self.state.evaluated_step != step

    def checkpoint_due(self) -> bool:
        every, step = self.config.checkpoint_every, self.state.step
        if self.saved_step == step:
            return False
        on_step = bool(every) and step > 0 and step % every == 0
        minutes = (time.monotonic() - self.saved_at) / 60
        on_clock = bool(self.config.checkpoint_minutes) and minutes >= self.config.checkpoint_minutes
        return on_step or bool(self.world.broadcast(float(on_clock), self.machine.device))

    def out_of_patience(self) -> str | None:
        patience = self.config.patience
        if patience and self.state.without_gain >= patience:
            return f"no better validation loss in {counted(patience, 'evaluation')}"
        return None

    # ---- evaluation, saving, restoring -----------------------------------------------------------------------

    def evaluate(self) -> None:
        """Saves first (an evaluation can be long), then scores the held-out batches, each rank its share."""
        if self.saved_step != self.state.step:
            self.save()
        before = self.state.clock.evaluation
        with self.state.clock.time("evaluation"):
            scores = self.validate()
            if scores is None:
                return
            val_loss = scores.pop("loss")
            if not math.isfinite(val_loss):
                raise NonFiniteError(
                    f"the validation loss is {val_loss} at step {self.state.step}", "lower train.learning_rate"
                )
            self.state.evaluated_step, self.state.val_loss, self.state.val_metrics = self.state.step, val_loss, scores
            if self.state.best_val_loss is None or val_loss < self.state.best_val_loss:
                self.state.best_val_loss, self.state.best_step = val_loss, self.state.step
                self.state.best_metrics = scores
                self.state.without_gain = 0
            else:
                self.state.without_gain += 1
            samples = self.samples()
        self.evaluation_seconds = self.state.clock.evaluation - before
        if self.world.leads:
            self.journal.evaluation(self.state, self.elapsed(), samples)

    @torch.no_grad()
    def validate(self) -> dict[str, float] | None:
        """The loss and the metrics per target over the held-out batches; None where there are none, or a signal or
        the clock cut in."""
        self.model.eval()
        names = self.objective.evaluation_metrics
        sums, targets, cut = self._zeros(self.objective.metrics if names is None else names), 0.0, 0.0
        for index, batch in enumerate(self.objective.evaluation()):
            if self.signals.requested is not None or self.seconds_left() <= 0:
                cut = 1.0
                break
            if index % self.world.size == self.world.rank:
                with autocast(self.machine.device, self.machine.precision):
                    loss, metrics = self.objective.loss(self.model, *self._to_device(batch))
                _add(sums, loss, metrics)
                targets += count_targets(batch)
            self.ledger.tick()
        self.model.train()
        targets, cut, *totals = self.world.sum([targets, cut, *map(float, sums.values())], self.machine.device)
        return None if cut or not targets else {n: total / targets for n, total in zip(sums, totals, strict=True)}

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
        """Writes a verified checkpoint of the present state, then prunes old ones."""
        before = self.state.clock.checkpoint
        with self.state.clock.time("checkpoint"):
            self._require_finite_weights()
            if self.world.leads:
                self.state.elapsed = self.elapsed()
                state = {
                    **self.state.as_dict(),
                    "scaler": self.scaler.state_dict(),
                    "logs": self.run_dir.mark(),
                }
                folder = self.run_dir.checkpoints
                trained: dict[str, Tensor] = dict(trained_parameters(self.model))
                kept = Checkpoint(trained, self.optimizers.state(), state, self.objective.state())
                save_checkpoint(folder, kept)
                prune_checkpoints(folder, keep=self.config.keep_checkpoints, best_step=self.state.best_step)
            self.world.wait()
        self.save_seconds = self.state.clock.checkpoint - before
        self.saved_step, self.saved_at = self.state.step, time.monotonic()

    def restore(self) -> None:
        """Takes up where the newest good checkpoint (or the one asked for) stands; else starts at step 0."""
        if self.world.leads:
            remove_leftovers(self.run_dir.checkpoints)
        self.world.wait()
        folder = self.run_dir.checkpoints
        found = newest_good_checkpoint(folder) if self.resume is None else (self.resume, load_checkpoint(self.resume))
        marks: dict[str, int] = {}
        if found is not None:
            path, checkpoint = found
            try:
                load_trained(self.model, checkpoint.model)
                self.optimizers.load_state(checkpoint.optimizer)
                self.objective.load_state(checkpoint.objective)
            except ValueError as error:
                raise InputError(
                    f"checkpoint {path} does not fit: {error}", "give the model.* and train.* it was made with"
                ) from error
            self.state = State.from_dict(checkpoint.state)
            self.scaler.load_state_dict(checkpoint.state["scaler"])
            self.elapsed_before = self.state.elapsed
            if path.resolve().parent == folder.resolve():
                self.saved_step, marks = self.state.step, checkpoint.state["logs"]
            if self.world.leads:
                set_aside_after(folder, self.state.step)
                self.journal.line.say(f"continuing from {path} (step {self.state.step})")
        self.journal.open(self.state.step, marks)
        self.world.wait()
        self.model.train()

    # ---- small parts -----------------------------------------------------------------------------------------

    def _wrap(self, model: nn.Module) -> Callable[..., tuple[Tensor, dict[str, Tensor]]]:
        loss: Any = Loss(self.objective, model)
        if self.world.size > 1:
            devices = [self.world.local_rank] if self.machine.device.startswith("cuda") else None
            loss = DistributedDataParallel(loss, device_ids=devices)
        self._parallel = loss if self.world.size > 1 else None
        compiled: Callable[..., tuple[Tensor, dict[str, Tensor]]] = (
            torch.compile(loss) if self.machine.compile else loss
        )
        return compiled

    def _synchronizing(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Ranks exchange gradients with the last micro-batch only."""
        if self._parallel is None or last:
            return contextlib.nullcontext()
        without: contextlib.AbstractContextManager[None] = self._parallel.no_sync()
        return without

    def _zeros(self, metrics: tuple[str, ...]) -> dict[str, Tensor]:
        return {name: torch.zeros((), device=self.machine.device) for name in ("loss", *metrics)}

    def _to_device(self, batch: Batch) -> Batch:
        if self.machine.device == "cpu":
            return batch
        return tuple(tensor.to(self.machine.device, non_blocking=True) for tensor in batch)

    def _account_for(self, seconds: float, tokens: int) -> None:
        if self.first_step:
            self.state.clock.startup += seconds
            self.first_step = False
        else:
            self.state.clock.train += seconds
            self.state.timed_tokens += tokens
            self.meter.record(seconds, tokens)

    def _require_finite(self, loss: float, norm: float) -> None:
        # with fp16, an infinite gradient is the scaler's business: it skips the step and lowers the scale
        if math.isfinite(loss) and (math.isfinite(norm) or self.scaler.is_enabled()):
            return
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        raise NonFiniteError(
            f"{what} at step {self.state.step}; the run stops, its last good checkpoint stands",
            "lower train.learning_rate, or lengthen train.warmup_steps, and start again",
        )

    def _require_finite_weights(self) -> None:
        finite = torch.stack([parameter.isfinite().all() for parameter in self.optimizers.parameters()])
        if not bool(finite.all()):
            raise NonFiniteError(
                f"a weight is not finite at step {self.state.step}; the run stops, its last good checkpoint stands",
                "lower train.learning_rate and start again",
            )


def trained_parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """What training changes, by name: all a checkpoint need hold. The frozen rest is the base's, and stays there."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


@torch.no_grad()
def load_trained(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Puts a checkpoint's weights into the model's trained parameters.

    Raises:
        ValueError: a tensor is missing, unknown, or has another shape; the model is unchanged.
    """
    trained = dict(trained_parameters(model))
    for name in sorted(trained.keys() ^ tensors.keys()):
        raise ValueError(f"tensor {name} is {'missing' if name in trained else 'not one of this model'}")
    for name, parameter in trained.items():
        if tensors[name].shape != parameter.shape:
            raise ValueError(f"tensor {name} has shape {tuple(tensors[name].shape)}, not {tuple(parameter.shape)}")
    for name, parameter in trained.items():
        parameter.copy_(tensors[name])


def _add(sums: dict[str, Tensor], loss: Tensor, metrics: dict[str, Tensor]) -> None:
    for name, value in {"loss": loss, **metrics}.items():
        sums[name] = sums[name] + value.detach()


def _mix(seed: int, step: int, rank: int) -> int:
    """A seed of 63 bits for (seed, step, rank) by two rounds of splitmix64: neighbours have nothing in common."""
    value = (seed << 40) ^ (step << 8) ^ rank
    for _ in range(2):
        value = (value + 0x9E3779B97F4A7C15) & (2**64 - 1)
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        value ^= value >> 31
    return value >> 1

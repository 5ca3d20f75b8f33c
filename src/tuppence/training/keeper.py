"""Keeps a run across attempts: gathers what a checkpoint holds, and puts it back.

How a checkpoint stands on disk is `checkpoint`'s; when one is due, the loop decides.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from tuppence.core.console import warn
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.run import Run
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
from tuppence.training.objective import Objective
from tuppence.training.optim import Optimizers
from tuppence.training.precision import LossScale
from tuppence.training.state import State
from tuppence.training.trained import load_trained, trained_parameters


@dataclass(frozen=True)
class Chosen:
    """Which weights are the result.

    Attributes:
        step: after how many optimizer steps.
        because: why those.
    """

    step: int
    because: str


class Keeper:
    """Saves and restores model, optimizers, loss scale, objective and state.

    Args:
        run: the run folder.
        resume: None for the newest good checkpoint of the run; a path for that one.
        world: rank 0 reads a checkpoint, the others get it from there.

    Attributes:
        saved_step: the step whose checkpoint stands in the run, or None.
        from_elsewhere: whether `restore` took the checkpoint of another run.
    """

    def __init__(
        self,
        *,
        run: Run,
        model: nn.Module,
        optimizers: Optimizers,
        scaler: LossScale,
        objective: Objective,
        config: TrainConfig,
        resume: Path | None,
        world: World,
    ) -> None:
        self._run, self._model, self._optimizers, self._scaler = run, model, optimizers, scaler
        self._objective, self._config, self._resume, self._world = objective, config, resume, world
        self.saved_step: int | None = None
        self.from_elsewhere = False
        self._saved_at = time.monotonic()

    def due_by_step(self, step: int) -> bool:
        """Whether the recipe asks for a checkpoint at this step."""
        every = self._config.checkpoint_every
        return bool(every) and step > 0 and step % every == 0

    def evaluation_due(self, step: int) -> bool:
        """Whether the recipe asks for an evaluation at this step."""
        every = self._config.eval_every
        return bool(every) and step > 0 and step % every == 0

    def may_be_result(self, step: int) -> bool:
        """Whether the weights after so many steps may be the result of the run."""
        return step > 0 or self._objective.start_is_a_model

    def due_by_clock(self) -> bool:
        """Whether the last checkpoint is as old as the recipe allows."""
        minutes = self._config.checkpoint_minutes
        return bool(minutes) and time.monotonic() - self._saved_at >= 60 * minutes

    def save(self, state: State, *, write: bool) -> None:
        """Writes a verified checkpoint, then prunes old ones.

        Args:
            write: whether this rank is the one that writes.
        """
        if write:
            content: dict[str, Any] = {
                **state.as_dict(),
                "scaler": self._scaler.state_dict(),
                "logs": self._run.mark(),
            }
            tensors = {name: parameter.data for name, parameter in trained_parameters(self._model).items()}
            kept = Checkpoint(tensors, self._optimizers.state(), content, self._objective.state())
            save_checkpoint(self._run.checkpoints, kept)
            prune_checkpoints(self._run.checkpoints, keep=self._config.keep_checkpoints, best_step=state.best_step)
        self.saved_step, self._saved_at = state.step, time.monotonic()

    def restore(self) -> tuple[Path, State, dict[str, int]] | None:
        """Puts the newest good checkpoint, or the one asked for, into model, optimizers and objective.

        Returns:
            The checkpoint's path, its state, and how far the logs reached then; None where there is no checkpoint. Of
            another run's checkpoint the scores and times are forgotten, and no log is its own.

        Raises:
            InputError: the checkpoint is of another model or recipe.
        """
        found = self._find()
        if found is None:
            return None
        path, checkpoint, ours = found
        try:
            load_trained(self._model, checkpoint.model)
            self._optimizers.load_state(checkpoint.optimizer)
            self._objective.load_state(checkpoint.objective)
        except ValueError as error:
            raise InputError(
                f"checkpoint {path} does not fit: {error}", "give the model.* and train.* it was made with"
            ) from error
        state = State.from_dict(checkpoint.state)
        self._scaler.load_state_dict(checkpoint.state["scaler"])
        marks: dict[str, int] = {}
        if ours:
            self.saved_step, marks = state.step, checkpoint.state["logs"]
            row = self._world.lead(lambda: self._run.evaluation_after(marks, state.step))
            self._recall_evaluation(state, row)
        else:
            self.from_elsewhere = True
            state.forget_scores()
        return path, state, marks

    def _find(self) -> tuple[Path, Checkpoint, bool] | None:
        """The checkpoint to go on from, and whether it is this run's.

        Rank 0 reads it for all: another node need not see the folder.
        """
        found: list[tuple[Path, Checkpoint]] = []

        def read() -> tuple[str, dict[str, Any], bool] | None:
            if self._resume is not None:
                found.append((self._resume, load_checkpoint(self._resume)))
            elif (newest := newest_good_checkpoint(self._run.checkpoints)) is not None:
                found.append(newest)
            if not found:
                self._refuse_to_begin_anew()
                return None
            path, checkpoint = found[0]
            return str(path), checkpoint.state, path.resolve().parent == self._run.checkpoints.resolve()

        answer = self._world.lead(read)
        if answer is None:
            return None
        if self._world.size == 1:
            return *found[0], answer[2]
        mine = found[0][1] if found else None
        model, optimizer, objective = (
            self._world.share_tensors(None if mine is None else getattr(mine, part))
            for part in ("model", "optimizer", "objective")
        )
        return Path(answer[0]), Checkpoint(model, optimizer, answer[1], objective), answer[2]

    def _refuse_to_begin_anew(self) -> None:
        """A trained model is not replaced by a new one because its checkpoints are gone.

        Raises:
            InputError: the run has a model, and no checkpoint to go on from.
        """
        trained = (self._run.read().get("result") or {}).get("steps") if self._run.exists() else 0
        if trained and self._run.has_model():
            raise InputError(
                f"{self._run.path} has a trained model and no sound checkpoint to go on from",
                "choose another --out, or move the folder away to begin anew",
            )

    def _recall_evaluation(self, state: State, row: dict[str, Any] | None) -> None:
        """Counts the evaluation of the checkpoint's own weights: it came behind the checkpoint, and is in the log."""
        if row is None or state.evaluated_step == state.step or not isinstance(row["val_loss"], int | float):
            return
        metrics = {
            name.removeprefix("val_"): value
            for name, value in row.items()
            if name.startswith("val_") and name != "val_loss" and isinstance(value, int | float)
        }
        state.count_evaluation(
            {"loss": float(row["val_loss"]), **metrics},
            asked_for=self.evaluation_due(state.step),
            may_be_best=self.may_be_result(state.step),
        )

    def clean_up(self) -> None:
        """Removes what a kill left half-written."""
        remove_leftovers(self._run.checkpoints)

    def set_aside_after(self, step: int) -> None:
        """Puts the checkpoints of a future that was given up out of the way; what is left comes from `resume`."""
        set_aside_after(self._run.checkpoints, step)
        if self._resume is not None:
            self._run.update(resumed_from=str(self._resume.resolve()))

    def choose_weights(self, state: State) -> Chosen:
        """Puts the weights of the result into the model: the best of those that were scored.

        Where the last ones could not be scored, they are taken if the training loss has fallen since the best
        evaluation.
        """
        chosen = choose(state)
        if chosen.step == state.step:
            return chosen
        try:
            load_trained(self._model, load_checkpoint(checkpoint_path(self._run.checkpoints, chosen.step)).model)
        except (InputError, CorruptFileError) as error:
            warn(f"{error.message}; the result has the last weights instead of the best")
            return Chosen(state.step, f"the checkpoint of step {chosen.step:,}, which has the best, is damaged or gone")
        return chosen


def choose(state: State) -> Chosen:
    """Which step's weights are the result of a run.

    Args:
        state: at the end of the run; its `evaluated_step` tells whether the last weights were scored.
    """
    best, loss = state.best_step, state.best_val_loss
    if best is None or loss is None:
        return Chosen(state.step, "the last; no weights were scored on held-out data")
    unscored = "the last weights were not scored"
    if state.evaluated_step == state.step:
        if best == state.step:
            return Chosen(best, f"the last and the best, with validation loss {loss:.4f}{_start(state)}")
        if best == 0:
            return Chosen(0, f"no evaluation was better than before the first step (validation loss {loss:.4f})")
        return Chosen(
            best,
            f"the best, with validation loss {loss:.4f}; after the last step it was {state.val_loss:.4f}"
            f"{_start(state)}",
        )
    losses = state.losses_around_best()
    if losses is None and best == 0:
        return Chosen(state.step, f"the last; {unscored}")
    if losses is not None and losses[1] < losses[0]:
        fell = f"fell from {losses[0]:.4f} to {losses[1]:.4f}"
        return Chosen(
            state.step, f"the last; {unscored}, and the training loss {fell} since the evaluation of step {best:,}"
        )
    told = "is not known" if losses is None else f"did not fall ({losses[0]:.4f}, then {losses[1]:.4f})"
    return Chosen(
        best,
        f"the best, with validation loss {loss:.4f}; {unscored}, and the training loss {told} since that evaluation",
    )


def _start(state: State) -> str:
    """What a person should know where training brought no gain over what it started from."""
    start, best = state.start_val_loss, state.best_val_loss
    if start is None or best is None or best < start:
        return ""
    return f"; before the first step it was {start:.4f}, which no evaluation has beaten"

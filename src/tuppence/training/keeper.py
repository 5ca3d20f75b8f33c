"""Keeps a run across attempts: gathers what a checkpoint holds, and puts it back.

How a checkpoint stands on disk is `checkpoint`'s; when one is due, the loop decides.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from torch import nn

from tuppence.core.console import warn
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.rundir import RunDir
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
from tuppence.training.objective import Objective
from tuppence.training.optim import Optimizers
from tuppence.training.precision import LossScale
from tuppence.training.state import State
from tuppence.training.trained import load_trained, trained_parameters


class Keeper:
    """Saves and restores model, optimizers, loss scale, objective and state.

    Args:
        run: the run folder.
        resume: None for the newest good checkpoint of the run; a path for that one.

    Attributes:
        saved_step: the step whose checkpoint stands in the run, or None.
    """

    def __init__(
        self,
        *,
        run: RunDir,
        model: nn.Module,
        optimizers: Optimizers,
        scaler: LossScale,
        objective: Objective,
        config: TrainConfig,
        resume: Path | None,
    ) -> None:
        self._run, self._model, self._optimizers, self._scaler = run, model, optimizers, scaler
        self._objective, self._config, self._resume = objective, config, resume
        self.saved_step: int | None = None
        self._saved_at = time.monotonic()

    def due_by_step(self, step: int) -> bool:
        """Whether the recipe asks for a checkpoint at this step."""
        every = self._config.checkpoint_every
        return bool(every) and step > 0 and step % every == 0

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
            The checkpoint's path, its state, and how far the logs reached then (nothing, if it is another run's); None
            where there is no checkpoint.

        Raises:
            InputError: the checkpoint is of another model or recipe.
        """
        folder = self._run.checkpoints
        if self._resume is None:
            found = newest_good_checkpoint(folder)
        else:
            found = self._resume, load_checkpoint(self._resume)
        if found is None:
            return None
        path, checkpoint = found
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
        if path.resolve().parent == folder.resolve():
            self.saved_step, marks = state.step, checkpoint.state["logs"]
        return path, state, marks

    def clean_up(self) -> None:
        """Removes what a kill left half-written."""
        remove_leftovers(self._run.checkpoints)

    def set_aside_after(self, step: int) -> None:
        """Puts the checkpoints of a future that was given up out of the way; what is left comes from `resume`."""
        set_aside_after(self._run.checkpoints, step)
        if self._resume is not None:
            self._run.update_record(resumed_from=str(self._resume.resolve()))

    def take_best_weights(self, state: State) -> None:
        """Puts the weights of the lowest validation loss into the model; keeps the last ones where there was none."""
        best = state.best_step
        if best is None or best == state.step:
            return
        try:
            load_trained(self._model, load_checkpoint(checkpoint_path(self._run.checkpoints, best)).model)
        except (InputError, CorruptFileError) as error:
            warn(f"{error.message}; the result has the last weights instead of the best")

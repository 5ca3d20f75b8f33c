"""Saves and restores a run: what a checkpoint holds, and when one is due.

The file format is in `checkpoint`; which weights are the result, in `selection`. The loop decides when to save.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from tuppence.core.console import warn
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.run import Run
from tuppence.core.temporary import remove_litter
from tuppence.storage import absolute_location
from tuppence.training.checkpoint import (
    Checkpoint,
    StreamedCheckpoint,
    checkpoint_path,
    load_checkpoint,
    newest_good_checkpoint,
    prune_checkpoints,
    save_checkpoint,
    set_aside_after,
)
from tuppence.training.selection import Selection, select_weights
from tuppence.training.state import State
from tuppence.training.step import Step
from tuppence.training.trainable import load_trainable


class CheckpointManager:
    """Saves and restores model, optimizers, loss scale, objective and state.

    Args:
        run: the run folder.
        step: the model, its objective and its optimizers.
        resume: None for the newest good checkpoint of the run; a path for that one.

    Attributes:
        saved_step: the step of the run's newest checkpoint, or None.
        from_elsewhere: whether `restore` loaded the checkpoint of another run.
    """

    def __init__(self, run: Run, step: Step, resume: Path | None = None) -> None:
        self._run, self._step, self._resume = run, step, resume
        self._config, self._world = step.config, step.execution.world
        self.saved_step: int | None = None
        self.from_elsewhere = False
        self._saved_at = time.monotonic()

    def due_by_step(self, step: int) -> bool:
        """Whether the recipe asks for a checkpoint at this step."""
        every = self._config.checkpoint_every
        return bool(every) and step > 0 and step % every == 0

    def due_by_clock(self) -> bool:
        """Whether the last checkpoint is as old as the recipe allows."""
        minutes = self._config.checkpoint_minutes
        return bool(minutes) and time.monotonic() - self._saved_at >= 60 * minutes

    def evaluation_due(self, step: int) -> bool:
        """Whether the recipe asks for an evaluation at this step."""
        every = self._config.eval_every
        return bool(every) and step > 0 and step % every == 0

    def may_be_result(self, step: int) -> bool:
        """Whether the weights of this step may be the result of the run."""
        return step > 0 or self._step.objective.start_is_a_model

    def save(self, state: State) -> None:
        """Writes a verified checkpoint on rank 0, then prunes old ones. All ranks call it."""
        weights, moments, shards = self._step.parameters, self._step.optimizers.state(), self._step.loss.shards
        if self._world.is_main:
            content: dict[str, Any] = {
                **state.as_dict(),
                "scaler": self._step.scaler.state_dict(),
                "logs": self._run.mark(),
            }
            own = self._step.objective.state()
            save_checkpoint(
                self._run.checkpoints,
                Checkpoint({name: weight.data for name, weight in weights.items()}, moments, content, own)
                if shards is None
                else StreamedCheckpoint(shards.gather(weights), shards.gather(moments), content, own),
            )
            prune_checkpoints(self._run.checkpoints, keep=self._config.keep_checkpoints, best_step=state.best_step)
        elif shards is not None:
            shards.send(weights)
            shards.send(moments)
        self.saved_step, self._saved_at = state.step, time.monotonic()

    def restore(self) -> tuple[Path, State, dict[str, int]] | None:
        """Loads the newest good checkpoint, or the one asked for, into model, optimizers and objective.

        Checkpoints of later steps are renamed. A checkpoint that was asked for is recorded in run.yaml.

        Returns:
            The checkpoint's path, its state, and the sizes of the logs at that time; None if there is no checkpoint.
            For another run's checkpoint, scores and times are reset, and no log is truncated.

        Raises:
            InputError: the checkpoint is of another model or recipe.
        """
        if self._world.is_main:
            remove_litter(self._run.checkpoints, locked=True)
        found = self._find()
        if found is None:
            return None
        path, checkpoint, ours = found
        with _refusing_misfits(path):
            load_trainable(self._step.parameters, checkpoint.model)
            self._step.optimizers.load_state(checkpoint.optimizer)
            self._step.objective.load_state(checkpoint.objective)
        state = State.from_dict(checkpoint.state)
        self._step.scaler.load_state_dict(checkpoint.state["scaler"])
        marks: dict[str, int] = {}
        if ours:
            self.saved_step, marks = state.step, checkpoint.state["logs"]
            row = self._world.on_main(lambda: self._run.evaluation_after(marks, state.step))
            self._recall_evaluation(state, row)
        else:
            self.from_elsewhere = True
            state.forget_scores()
        if self._world.is_main:
            set_aside_after(self._run.checkpoints, state.step)
            if self._resume is not None:
                self._run.update(resumed_from=absolute_location(self._resume))
        return path, state, marks

    def saved_model(self) -> nn.Module:
        """The model with the weights of the newest checkpoint, which are the present ones after `save`.

        Call it on rank 0. If the ranks divide the model, it is a copy on the CPU, read from the checkpoint, which this
        process has verified.
        """
        shards = self._step.loss.shards
        if shards is None or self.saved_step is None:
            return self._step.model
        path = checkpoint_path(self._run.checkpoints, self.saved_step)
        return shards.whole(load_file(path / "model.safetensors"))

    def load_result(self, state: State) -> tuple[Selection, nn.Module]:
        """Selects the weights of the result; returns which they are, and the model with these weights.

        Call it on rank 0, after `save`.
        """
        selected = select_weights(state)
        if selected.step == state.step:
            return selected, self.saved_model()
        try:
            best = load_checkpoint(checkpoint_path(self._run.checkpoints, selected.step))
        except (InputError, CorruptFileError) as error:
            warn(f"{error.message}; the result has the last weights instead of the best")
            because = f"the checkpoint of step {selected.step:,}, which has the best weights, is damaged or missing"
            return Selection(state.step, because), self.saved_model()
        if self._step.loss.shards is not None:
            return selected, self._step.loss.shards.whole(best.model)
        load_trainable(self._step.parameters, best.model)
        return selected, self._step.model

    def _find(self) -> tuple[Path, Checkpoint, bool] | None:
        """The checkpoint to continue from, and whether it is this run's. Rank 0 reads it for all ranks."""
        found: list[tuple[Path, Checkpoint]] = []

        def read() -> tuple[str, dict[str, Any], bool] | None:
            if self._resume is not None:
                found.append((self._resume, load_checkpoint(self._resume)))
            elif (newest := newest_good_checkpoint(self._run.checkpoints)) is not None:
                found.append(newest)
            if not found:
                self._refuse_to_start_over()
                return None
            path, checkpoint = found[0]
            return str(path), checkpoint.state, path.resolve().parent == self._run.checkpoints.resolve()

        answer = self._world.on_main(read)
        if answer is None:
            return None
        if self._world.size == 1:
            return *found[0], answer[2]
        mine, shards = found[0][1] if found else None, self._step.loss.shards
        share = self._world.share_tensors if shards is None else shards.scatter
        with _refusing_misfits(Path(answer[0])):
            model = share(None if mine is None else mine.model)
            optimizer = share(None if mine is None else mine.optimizer)
        objective = self._world.share_tensors(None if mine is None else mine.objective)
        return Path(answer[0]), Checkpoint(model, optimizer, answer[1], objective), answer[2]

    def _refuse_to_start_over(self) -> None:
        """Keeps a trained model from being replaced by a new one because its checkpoints are gone.

        Raises:
            InputError: the run has a model, and no checkpoint to continue from.
        """
        trained = (self._run.read().get("result") or {}).get("steps") if self._run.exists() else 0
        if trained and self._run.has_model():
            raise InputError(
                f"{self._run.path} has a trained model and no undamaged checkpoint to continue from",
                "choose another --out, or move the folder away to start again",
            )

    def _recall_evaluation(self, state: State, row: dict[str, Any] | None) -> None:
        """Counts the evaluation of the checkpoint's weights, which was logged after the checkpoint was written."""
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


@contextlib.contextmanager
def _refusing_misfits(path: Path) -> Iterator[None]:
    """Turns the ValueError of a checkpoint that does not fit the model or its optimizers into an InputError."""
    try:
        yield
    except ValueError as error:
        raise InputError(
            f"checkpoint {path} does not fit: {error}",
            "use the model.* and train.* settings of the run that made it",
        ) from error

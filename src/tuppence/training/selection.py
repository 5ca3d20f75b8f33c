"""Selects the weights that are the result of a run: the best scored weights, or the last.

Pure functions of the run's state. `checkpoints` loads the weights that are selected.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuppence.training.state import State


@dataclass(frozen=True)
class Selection:
    """The weights selected as the result.

    Attributes:
        step: the number of optimizer steps before these weights.
        because: the reason, as text for the user.
    """

    step: int
    because: str


def select_weights(state: State) -> Selection:
    """Selects the step with the lowest validation loss.

    Last weights that could not be scored are selected if the training loss has fallen since the best evaluation.

    Args:
        state: the state at the end of the run; its `evaluated_step` says whether the last weights were scored.
    """
    best, loss = state.best_step, state.best_val_loss
    if best is None or loss is None:
        return Selection(state.step, "the last; no weights were scored on held-out data")
    unscored = "the last weights were not scored"
    if state.evaluated_step == state.step:
        if best == state.step:
            return Selection(best, f"the last and the best, with validation loss {loss:.4f}{_start(state)}")
        if best == 0:
            return Selection(0, f"no evaluation was better than before the first step (validation loss {loss:.4f})")
        return Selection(
            best,
            f"the best, with validation loss {loss:.4f}; after the last step it was {state.val_loss:.4f}"
            f"{_start(state)}",
        )
    losses = state.losses_around_best()
    if losses is None and best == 0:
        return Selection(state.step, f"the last; {unscored}")
    if losses is not None and losses[1] < losses[0]:
        fell = f"fell from {losses[0]:.4f} to {losses[1]:.4f}"
        return Selection(
            state.step, f"the last; {unscored}, and the training loss {fell} since the evaluation of step {best:,}"
        )
    trend = "is not known" if losses is None else f"did not fall ({losses[0]:.4f}, then {losses[1]:.4f})"
    return Selection(
        best,
        f"the best, with validation loss {loss:.4f}; {unscored}, and the training loss {trend} since that evaluation",
    )


def _start(state: State) -> str:
    """A warning if training did not improve on the weights that it started from."""
    start, best = state.start_val_loss, state.best_val_loss
    if start is None or best is None or best < start:
        return ""
    return f"; before the first step it was {start:.4f}, which no evaluation has beaten"

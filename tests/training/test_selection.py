"""The result is the best scored weights, or the last ones if they could not be scored and training went on well."""

from __future__ import annotations

import pytest

from tuppence.training.selection import select_weights
from tuppence.training.state import State


def trained(losses: list[float], scores: dict[int, float]) -> State:
    """The state after one step for each training loss, with validation losses by step."""
    state = State()
    for step in range(len(losses) + 1):
        if step:
            state.step = step
            state.count_outcome(tokens=8, targets=1, sums={"loss": losses[step - 1]})
        if step in scores:
            state.count_evaluation({"loss": scores[step]})
    return state


@pytest.mark.parametrize(
    ("losses", "scores", "step", "because"),
    [
        ([3.0, 2.0], {}, 2, "no weights were scored"),
        ([3.0, 2.0], {1: 3.0, 2: 2.0}, 2, "the last and the best, with validation loss 2.0000"),
        ([3.0, 2.0], {1: 2.0, 2: 3.0}, 1, "after the last step it was 3.0000"),
        ([3.0, 2.0], {0: 1.0, 2: 3.0}, 0, "no evaluation was better than before the first step"),
        ([3.0, 2.0], {0: 1.0}, 2, "the last weights were not scored"),
        ([3.0, 2.0], {1: 2.5}, 2, "the training loss fell from 3.0000 to 2.0000"),
        ([3.0, 4.0], {1: 2.5}, 1, "the training loss did not fall"),
    ],
)
def test_the_best_scored_weights_are_selected_or_later_ones_whose_training_loss_is_lower(
    losses: list[float], scores: dict[int, float], step: int, because: str
) -> None:
    selected = select_weights(trained(losses, scores))
    assert selected.step == step
    assert because in selected.because


def test_a_start_that_no_evaluation_has_beaten_is_named() -> None:
    state = trained([3.0], {1: 2.0})
    state.start_val_loss = 1.5  # weights that cannot be the result, such as a new head
    assert select_weights(state).because.endswith("before the first step it was 1.5000, which no evaluation has beaten")

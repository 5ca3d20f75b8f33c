"""The state of a run is restored from JSON."""

from __future__ import annotations

import json

import pytest

from tuppence.core.errors import CorruptFileError
from tuppence.training.state import State
from tuppence.training.throughput import Clock


def test_state_survives_json() -> None:
    state = State(step=3, tokens=9, best_val_loss=1.25, clock=Clock(train=2.5))
    assert State.from_dict(json.loads(json.dumps(state.as_dict()))) == state


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert State.from_dict({**State(step=1).as_dict(), "news": 1}).step == 1


def test_fields_of_a_later_version_get_their_defaults() -> None:
    first = {name: State().as_dict()[name] for name in ("step", "tokens", "elapsed", "clock")}
    assert State.from_dict({**first, "step": 3}) == State(step=3)


def test_a_field_that_was_renamed_keeps_its_value() -> None:
    values = State(evals_since_best=2).as_dict()
    assert State.from_dict({**values, "without_gain": values.pop("evals_since_best")}).evals_since_best == 2


@pytest.mark.parametrize("wrong", [{}, {"step": 1}, {**State().as_dict(), "clock": {"x": 1}}])
def test_incomplete_state_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CorruptFileError):
        State.from_dict(wrong)


def test_speed_is_timed_tokens_over_timed_seconds() -> None:
    assert (
        State(tokens=500, timed_tokens=400, clock=Clock(train=2.0, startup=9.0, evaluation=9.0)).tokens_per_second
        == 200
    )
    assert State().tokens_per_second is None
    assert State(clock=Clock(train=1e-6)).tokens_per_second is None


def test_steps_add_up_until_the_window_is_read() -> None:
    state = State()
    for tokens, targets, sums in ((10, 4, {"loss": 2.0, "accuracy": 1.0}), (20, 6, {"loss": 3.0, "accuracy": 2.0})):
        state.count_outcome(tokens, targets, sums)
    assert (state.tokens, state.window_targets) == (30, 10)
    assert (state.window_loss, state.window_metrics) == (5.0, {"accuracy": 3.0})


def test_the_best_evaluation_is_kept_and_the_others_are_counted() -> None:
    state = State()
    for step, loss in enumerate((3.0, 2.0, 2.0, 2.5)):
        state.step = step
        state.count_evaluation({"loss": loss, "accuracy": step / 10})
    assert (state.best_val_loss, state.best_step, state.best_metrics) == (2.0, 1, {"accuracy": 0.1})
    assert (state.val_loss, state.evaluated_step, state.evals_since_best) == (2.5, 3, 2)
    assert state.val_metrics == {"accuracy": 0.3}

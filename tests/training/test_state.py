"""The loop's memory survives JSON."""

from __future__ import annotations

import json

import pytest

from tuppence.core.errors import CorruptFileError
from tuppence.training.state import State
from tuppence.training.throughput import Clock


def test_state_survives_json() -> None:
    state = State(step=3, tokens=9, best_val_loss=1.25, clock=Clock(train=2.5))
    assert State.from_dict(json.loads(json.dumps(state.as_dict()))) == state


def test_keys_of_a_newer_version_are_passed_over() -> None:
    assert State.from_dict({**State(step=1).as_dict(), "news": 1}).step == 1


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

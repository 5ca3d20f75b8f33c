from __future__ import annotations

from typing import Any

import pytest
import torch

from tuppence.quickstart import probe
from tuppence.quickstart.recipes import PRETRAIN


class Clock:
    """A clock on which every step of training takes two seconds, and the first one ten."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.steps = 100.0, 0
        monkeypatch.setattr(probe.time, "perf_counter", lambda: self.now)
        step = probe.Optimizers.step

        def timed(optimizers: Any) -> Any:
            self.now += 2.0 if self.steps else 10.0
            self.steps += 1
            return step(optimizers)

        monkeypatch.setattr(probe.Optimizers, "step", timed)


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 3), (7.0, 4), (8.5, 5)])
def test_the_mean_time_of_a_step_leaves_out_the_first(
    monkeypatch: pytest.MonkeyPatch, seconds: float, steps: int
) -> None:
    clock = Clock(monkeypatch)
    assert probe.seconds_of_a_step(seconds) == 2.0
    assert clock.steps == steps + 1


def test_the_random_state_of_torch_does_not_change() -> None:
    before = torch.get_rng_state()
    assert 0 < probe.seconds_of_a_step(0.0) < 60
    assert torch.equal(torch.get_rng_state(), before)


def test_the_steps_are_those_of_the_quickstart_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    loss = probe.GPT.loss

    def seen(model: Any, inputs_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        shapes.append((len(inputs_BT), model.config.vocab_size))
        assert inputs_BT.shape == targets_BT.shape == (PRETRAIN.train.batch_size, model.config.context_length)
        return loss(model, inputs_BT, targets_BT)

    monkeypatch.setattr(probe.GPT, "loss", seen)
    probe.seconds_of_a_step(0.0)
    assert set(shapes) == {(PRETRAIN.train.batch_size, probe.VOCABULARY)}

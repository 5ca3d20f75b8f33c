"""Held-out scores are means over all targets, computed in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.training.toy import Bigram, Toy
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution
from tuppence.training.objective import Batch
from tuppence.training.step import Step
from tuppence.training.validation import validate


def step(objective: Toy, model: Bigram) -> Step:
    return Step(objective, model, TrainConfig(), Execution("cpu", "float32", compile=False))


def test_the_loss_is_the_mean_over_the_targets_of_all_batches() -> None:
    model, objective = Bigram(), Toy()
    scores = validate(step(objective, model), lambda: True)
    assert model.training
    model.eval()  # dropout would show
    inputs, targets = (torch.cat(parts) for parts in zip(*objective.evaluation(), strict=True))
    expected = torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    assert scores == {"loss": pytest.approx(expected.item(), rel=1e-6)}


def test_a_stopped_validation_gives_no_score() -> None:
    asked: list[bool] = []

    def once() -> bool:
        asked.append(True)
        return len(asked) < 3

    model = Bigram()
    assert validate(step(Toy(), model), once) is None
    assert len(asked) == 3
    assert model.training


def test_without_held_out_batches_there_is_no_score() -> None:
    class Nothing(Toy):
        def evaluation(self) -> Iterator[Batch]:
            return iter(())

    assert validate(step(Nothing(), Bigram()), lambda: True) is None

"""One process needs no exchange; a compiled loss is the same loss. Several ranks: integration/test_equivalence."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.training.toy import Bigram, Toy
from tuppence.training.parallel import Machine, ParallelLoss


@pytest.mark.parametrize(
    "compiled",
    [
        False,
        pytest.param(
            True, marks=[pytest.mark.slow, pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler")]
        ),
    ],
)
def test_the_wrapped_loss_is_the_objective_s(compiled: bool) -> None:
    objective, model = Toy(), Bigram().eval()
    loss = ParallelLoss(objective, model, Machine("cpu", "float32", compile=compiled))
    batch = objective.sequences(3)
    with loss.exchanging(last=False):
        found, metrics = loss(batch)
    assert metrics == {}
    assert torch.allclose(found, objective.loss(model, *batch)[0])


def test_alone_a_machine_s_sums_and_decisions_are_its_own() -> None:
    machine = Machine("cpu", "float32", compile=False)
    assert machine.sum([1.5, 2.0]) == [1.5, 2.0]
    assert machine.agree(0.25) == 0.25
    batch = (torch.ones(2),)
    assert machine.take(batch) is batch

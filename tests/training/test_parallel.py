"""The loss of one process, and of a compiled one, is the objective's. Several ranks: integration/test_equivalence."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.training.toy import Bigram, Toy
from tuppence.training.execution import Execution
from tuppence.training.parallel import ParallelLoss


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
    loss = ParallelLoss(objective, model, Execution("cpu", "float32", compile=compiled))
    batch = objective.sequences(3)
    with loss.sync_gradients(last=False):
        found, metrics = loss(batch)
    assert metrics == {}
    assert torch.allclose(found, objective.loss(model, *batch)[0])

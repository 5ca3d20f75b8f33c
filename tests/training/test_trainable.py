"""Trainable parameters are read from a model and restored to it by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tuppence.training.trainable import load_trainable, trainable_parameters


def half_frozen() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    return model


def test_frozen_parameters_are_neither_returned_nor_changed() -> None:
    model = half_frozen()
    assert set(trainable_parameters(model)) == {"1.weight", "1.bias"}
    before = model[0].weight.clone()
    load_trainable(trainable_parameters(model), {"1.weight": torch.full((1, 3), 2.0), "1.bias": torch.zeros(1)})
    assert model[1].weight.tolist() == [[2.0, 2.0, 2.0]]
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize(
    ("tensors", "complaint"),
    [
        ({"1.weight": torch.zeros(1, 3)}, "1.bias is missing"),
        (
            {"1.weight": torch.zeros(1, 3), "1.bias": torch.zeros(1), "0.bias": torch.zeros(3)},
            "0.bias is not one of this",
        ),
        ({"1.weight": torch.zeros(3, 1), "1.bias": torch.zeros(1)}, r"1.weight has shape \(3, 1\), not \(1, 3\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name_and_nothing_changes(
    tensors: dict[str, torch.Tensor], complaint: str
) -> None:
    model = half_frozen()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=complaint):
        load_trainable(trainable_parameters(model), tensors)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

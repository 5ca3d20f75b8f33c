"""Trainable parameters by name. Checkpoints have only these: frozen weights are read from the base again."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Returns the parameters that require a gradient, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def load_trainable(parameters: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor]) -> None:
    """Copies a checkpoint's weights into the trainable parameters.

    Raises:
        ValueError: a tensor is missing, unknown, or has another shape; the parameters are unchanged.
    """
    for name in sorted(parameters.keys() ^ tensors.keys()):
        raise ValueError(f"tensor {name} is {'missing' if name in parameters else 'not one of this model'}")
    for name, parameter in parameters.items():
        if tensors[name].shape != parameter.shape:
            raise ValueError(f"tensor {name} has shape {tuple(tensors[name].shape)}, not {tuple(parameter.shape)}")
    for name, parameter in parameters.items():
        parameter.copy_(tensors[name])

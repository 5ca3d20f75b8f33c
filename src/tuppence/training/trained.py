"""What training changes in a model: all that a checkpoint need hold. The frozen rest is the base's, and stays there."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def trained_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that ask for a gradient, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def load_trained(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Puts a checkpoint's weights into the model's trained parameters.

    Raises:
        ValueError: a tensor is missing, unknown, or has another shape; the model is unchanged.
    """
    trained = trained_parameters(model)
    for name in sorted(trained.keys() ^ tensors.keys()):
        raise ValueError(f"tensor {name} is {'missing' if name in trained else 'not one of this model'}")
    for name, parameter in trained.items():
        if tensors[name].shape != parameter.shape:
            raise ValueError(f"tensor {name} has shape {tuple(tensors[name].shape)}, not {tuple(parameter.shape)}")
    for name, parameter in trained.items():
        parameter.copy_(tensors[name])

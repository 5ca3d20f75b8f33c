"""The optimizers: AdamW for all parameters, or Muon for the matrices inside the blocks and AdamW for the rest.

Weight decay applies to matrices only, not to norms and biases. Embeddings count as matrices, as in reproductions of
GPT-2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from tuppence.training.config import TrainConfig
from tuppence.training.muon import Muon

_STATE_KEYS: dict[type[torch.optim.Optimizer], set[str]] = {
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    Muon: {"momentum_buffer"},
}


class Optimizers:
    """One or two optimizers that step together; their state is stored by parameter name.

    Args:
        named_parameters: the model's parameters; those without `requires_grad` are ignored.
        config: learning rates, betas, decay.
        device: torch's name of it; AdamW is fused if the device supports that.
    """

    def __init__(self, named_parameters: Iterable[tuple[str, nn.Parameter]], config: TrainConfig, device: str) -> None:
        trained = [(name, parameter) for name, parameter in named_parameters if parameter.requires_grad]
        muon = [(n, p) for n, p in trained if config.optimizer == "muon" and _is_inner_matrix(n, p)]
        taken = {name for name, _ in muon}
        rest = [(name, parameter) for name, parameter in trained if name not in taken]
        rate, decay = config.learning_rate, config.weight_decay
        groups: list[dict[str, Any]] = [
            {"params": [p for n, p in rest if p.ndim >= 2 and not _is_embedding(n)], "lr": rate, "weight_decay": decay},
            {"params": [p for _, p in rest if p.ndim < 2], "lr": rate, "weight_decay": 0.0},
            {
                "params": [p for n, p in rest if p.ndim >= 2 and _is_embedding(n)],
                "lr": config.embedding_learning_rate or rate,
                "weight_decay": decay,
            },
        ]
        self._decides_on_host = device.startswith("mps")  # the decision on the device was not tested on mps
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in trained}
        self._all: list[torch.optim.Optimizer] = []
        groups = [group for group in groups if group["params"]]
        if groups:
            self._all.append(
                torch.optim.AdamW(
                    groups,
                    betas=(config.beta1, config.beta2),
                    fused=device.partition(":")[0] in ("cpu", "cuda", "mps"),
                )
            )
        if muon:
            self._all.append(
                Muon(
                    [parameter for _, parameter in muon],
                    lr=config.muon_learning_rate or config.learning_rate,
                    momentum=config.muon_momentum,
                    weight_decay=config.weight_decay,
                )
            )
        for group in self._groups():
            group["peak"] = group["lr"]

    def _groups(self) -> list[dict[str, object]]:
        return [group for optimizer in self._all for group in optimizer.param_groups]

    def parameters(self) -> list[Tensor]:
        """All trained parameters."""
        return list(self._names)

    def set_rate(self, factor: float) -> float:
        """Sets every learning rate to `factor` of its peak; returns the first one."""
        for group in self._groups():
            group["lr"] = group["peak"] * factor  # type: ignore[operator]
        return float(self._groups()[0]["lr"])  # type: ignore[arg-type]

    def step(self, finite: Tensor | None = None) -> None:
        """Updates all parameters, or none of them.

        Args:
            finite: bool scalar on the device; the host does not wait for it. If it is False, weights, moments and step
                counts stay unchanged, whatever the gradients are.
        """
        if finite is not None and self._decides_on_host and not bool(finite):
            return
        for optimizer in self._all:
            # torch's fused optimizers read the decision of torch.amp.GradScaler from this attribute; our Muon does too
            optimizer.found_inf = None if finite is None else (~finite).float()  # type: ignore[attr-defined]
            optimizer.step()

    def zero_grad(self) -> None:
        """Clears the gradients."""
        for optimizer in self._all:
            optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """The state as `{"blocks.0.mlp.expand.weight.exp_avg": tensor, …}`."""
        tensors = {}
        for optimizer in self._all:
            for parameter, state in optimizer.state.items():
                for key, value in state.items():
                    tensors[f"{self._names[parameter]}.{key}"] = value
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Restores the state that `state` returned.

        Raises:
            ValueError: a tensor belongs to no parameter, has a different shape, or belongs to another optimizer.
        """
        by_name = {name: parameter for parameter, name in self._names.items()}
        owner = {
            parameter: optimizer for optimizer in self._all for g in optimizer.param_groups for parameter in g["params"]
        }
        for full_name, tensor in tensors.items():
            name, _, key = full_name.rpartition(".")
            parameter = by_name.get(name)
            if parameter is None:
                raise ValueError(f"{full_name} belongs to no trained parameter")
            if tensor.ndim and tensor.shape != parameter.shape:
                raise ValueError(f"{full_name} has shape {tuple(tensor.shape)}, not {tuple(parameter.shape)}")
            place = parameter.device if tensor.ndim or parameter.is_cuda else "cpu"
            owner[parameter].state[parameter][key] = tensor.clone().to(place)
        for parameter, name in self._names.items():
            state = owner[parameter].state[parameter]
            if "momentum_buffer" in state and self._is_new_to_adamw(name):
                state.clear()
            kept = set(state)
            if kept and kept != _STATE_KEYS[type(owner[parameter])]:
                raise ValueError(f"{name} has the state of another optimizer ({', '.join(sorted(kept))})")

    def _is_new_to_adamw(self, name: str) -> bool:
        """Whether Muon trained this matrix in an earlier version (the heads of classifiers, rewards and values)."""
        return any(isinstance(optimizer, Muon) for optimizer in self._all) and not _is_in_a_block(name)


def _is_embedding(name: str) -> bool:
    return "embedding" in name


def _is_in_a_block(name: str) -> bool:
    return "blocks" in name.split(".")


def _is_inner_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon can train this parameter. Embeddings and heads (`score`, `value`) are outside the blocks."""
    return parameter.ndim == 2 and _is_in_a_block(name)

"""LoRA: a trained correction of low rank for a frozen matrix (Hu et al. 2021, arXiv:2106.09685).

    y = x Wᵀ + b + (α / r) · dropout(x) Aᵀ Bᵀ        A: (r, in), B: (out, r), B starts at zero

Rank 16 on all matrices of gpt2-124m trains 2 % of the parameters of full finetuning. Gradients and optimizer state
shrink by the same factor. The correction can be added to W after training, so a merged model has no extra cost.
`adapters` reads and writes files in PEFT's layout.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuppence.core.errors import InputError
from tuppence.model.linear import Linear, linear

Module = TypeVar("Module", bound=nn.Module)

TARGETS = ("attention.qkv", "attention.projection", "mlp.expand", "mlp.contract")
"""The matrices of a block that can have an adapter, by our names."""


@dataclass(frozen=True)
class LoRA:
    """The shape of an adapter.

    Attributes:
        rank: r, the width of the bottleneck.
        alpha: α; the correction is scaled by α / r, so that the rank can change without a new learning rate.
        dropout: of the adapter's input while it is trained.
        targets: the matrices of every block that have an adapter; see `TARGETS`.

    Raises:
        InputError: a value is out of range, or a target is unknown.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = TARGETS

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= 4096:
            raise InputError(f"a LoRA rank of {self.rank} is out of range", "give 1 or more; 8 to 64 are usual")
        if not 0 < self.alpha < math.inf:
            raise InputError(f"LoRA's alpha must be above zero, it is {self.alpha}", "twice the rank is usual")
        if not 0 <= self.dropout < 1:
            raise InputError(f"a LoRA dropout of {self.dropout} is not from 0 to below 1", "0.05 is usual")
        for target in self.targets:
            if target not in TARGETS:
                raise InputError(f"{target} cannot have an adapter", f"use some of: {', '.join(TARGETS)}")
        if not self.targets:
            raise InputError("no matrix is to have an adapter", f"use some of: {', '.join(TARGETS)}")

    @property
    def scaling(self) -> float:
        """α / r."""
        return self.alpha / self.rank


class LoRALinear(Linear):
    """A frozen linear layer with a trained correction of low rank. `weight` and `bias` keep their names.

    Args:
        base: the layer to correct; its parameters are shared, not copied, and frozen.
        lora: rank, scaling and dropout.

    Example:
        >>> layer = LoRALinear(Linear(4, 3), LoRA(rank=2, alpha=4.0))
        >>> x = torch.ones(1, 4)
        >>> torch.equal(layer(x), linear(x, layer.weight, layer.bias))  # B is zero: nothing has changed yet
        True
    """

    def __init__(self, base: nn.Linear, lora: LoRA) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = base.in_features, base.out_features
        self.weight, self.bias = base.weight, base.bias
        self.weight.requires_grad_(False)
        self.bias.requires_grad_(False)
        self.lora_A = nn.Parameter(base.weight.new_empty(lora.rank, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, lora.rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = lora.scaling
        self.dropout = nn.Dropout(lora.dropout)
        self._unmerged: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        out = linear(x, self.weight, self.bias)
        if self._unmerged is not None:
            return out
        low = F.linear(self.dropout(x), self.lora_A) * self.scaling
        return out + F.linear(low, self.lora_B)

    @torch.no_grad()
    def merged_weight(self) -> Tensor:
        """W + (α / r) B A, summed in float32, in W's dtype."""
        weight = self.weight if self._unmerged is None else self._unmerged
        correction = self.scaling * (self.lora_B.float() @ self.lora_A.float())
        return (weight.float() + correction).to(weight.dtype)

    def merge(self) -> None:
        """Adds the correction into the weight; the layer then costs what its base costs."""
        if self._unmerged is None:
            merged = self.merged_weight()
            self._unmerged = self.weight.data
            self.weight.data = merged

    def unmerge(self) -> None:
        """Restores the weight from before `merge`; subtracting the correction would leave rounding errors."""
        if self._unmerged is not None:
            self.weight.data, self._unmerged = self._unmerged, None


def add_lora(model: nn.Module, lora: LoRA, layers: Collection[str] | None = None) -> None:
    """Freezes every parameter of `model` and gives the target matrices an adapter.

    A is initialised at random from torch's generator and B with zeros, so the output of the model does not change.

    Args:
        layers: names of the target matrices that get an adapter; those of all blocks by default.

    Raises:
        InputError: the model already has adapters.
    """
    if any(lora_layers(model)):
        raise InputError("the model has an adapter already", "merge it first")
    model.requires_grad_(False)
    wanted = [name for name, _ in model.named_modules() if name.endswith(lora.targets)]
    replaced = [(name, model.get_submodule(name)) for name in wanted if layers is None or name in layers]
    for name, module in replaced:
        if isinstance(module, nn.Linear):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, LoRALinear(module, lora))


def lora_layers(model: nn.Module) -> Iterator[tuple[str, LoRALinear]]:
    """The layers of a model that have an adapter, by name."""
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            yield name, module


def merge_lora(model: nn.Module) -> None:
    """Adds every adapter to its matrix; `unmerge_lora` restores exactly the same bits."""
    for _, layer in lora_layers(model):
        layer.merge()


def unmerge_lora(model: nn.Module) -> None:
    """Undoes `merge_lora`."""
    for _, layer in lora_layers(model):
        layer.unmerge()


def merged_state(model: nn.Module) -> dict[str, Tensor]:
    """Returns the tensors of a plain model with the adapters of `model` merged in; `model` itself is unchanged."""
    adapted = dict(lora_layers(model))
    state = {}
    for name, tensor in model.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if not kind.startswith("lora_"):
            state[name] = adapted[layer].merged_weight() if layer in adapted and kind == "weight" else tensor
    return state


def frozen_copy(model: Module, *, shared: bool) -> Module:
    """A copy of a model as it is now, without gradients: the reference of DPO and PPO.

    Args:
        shared: use the parameters of `model`, which are frozen, and take no memory: for a model that gets an adapter.
    """
    memo = {id(parameter): parameter for parameter in model.parameters()} if shared else {}
    return copy.deepcopy(model, memo).requires_grad_(False).eval()

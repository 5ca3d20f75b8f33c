"""Fully sharded data parallelism: weights, gradients and optimizer state are divided among the ranks.

torch's FSDP2 (`torch.distributed.fsdp.fully_shard`) gathers the weights of one block at a time for its forward and
backward pass, and adds up the gradients so that each rank has those of its own rows. Rank r holds rows
[r * n, (r + 1) * n) of every parameter, n = ceil(rows / ranks).

Optimizers, clipping and checkpoints work on this rank's rows as plain tensors (`Shards.local`). AdamW and clipping
compute every element from that element and the global norm, so the updates are those of one rank. A checkpoint has the
same files as without sharding: rank 0 writes each tensor in pieces, which the other ranks send one after the other, and
saving needs the whole model nowhere. (torch's own distributed checkpoints contain a pickle.)

Not covered: optimizers that need whole matrices (Muon), frozen parameters, objectives that call the model outside of
their loss (`tasks.sharding` refuses them).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.tensor.debug  # for `leave_world`
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from tuppence.model.tensor_stream import StreamedTensor, file_order
from tuppence.training.execution import Execution


class Shards:
    """A model divided among the ranks.

    Args:
        loss: the loss as a module that contains the model; only its `forward` may be called in training.
        model: the whole model, the same on every rank. Its blocks are the children of the modules named "blocks"; the
            parameters outside of them form a group of their own.
        execution: device and ranks; if torch compiles, each block is compiled by itself.

    Attributes:
        local: this rank's rows of every parameter, by name; updating them in place updates the model. Parameters
            without rows on this rank are absent.
        shapes: of the whole parameters, by name.
    """

    def __init__(self, loss: nn.Module, model: nn.Module, execution: Execution) -> None:
        self._world, self._skeleton = execution.world, _without_weights(model)
        self.shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
        mesh = init_device_mesh(execution.device.partition(":")[0], (execution.world.size,))
        for block in _blocks(model):
            if execution.compile:
                _compile_in_training(block)
            fully_shard(block, mesh=mesh)
        self._root: Any = fully_shard(loss, mesh=mesh)
        self._sharded = {name: _sharded(parameter) for name, parameter in model.named_parameters()}
        self.local = {
            name: nn.Parameter(parameter.to_local())
            for name, parameter in self._sharded.items()
            if parameter.to_local().numel()
        }

    # ---- one step --------------------------------------------------------------------------------------------

    def sync_gradients(self, last: bool) -> None:
        """Sets whether the next backward pass adds up the gradients over the ranks.

        Until the last micro-batch of a step every rank keeps whole gradients, as DistributedDataParallel does.
        """
        self._root.set_requires_gradient_sync(last)

    def take_gradients(self) -> None:
        """Moves this rank's rows of the gradients to the `grad` of `local`."""
        for name, parameter in self._sharded.items():
            gradient, parameter.grad = parameter.grad, None
            if name in self.local:
                self.local[name].grad = None if gradient is None else _local(gradient)

    def norm(self, norm: Tensor) -> Tensor:
        """The norm of the whole gradient, the same on every rank.

        Args:
            norm: of this rank's rows.
        """
        square = norm.double() ** 2
        dist.all_reduce(square)
        return square.sqrt().to(norm.dtype)

    def free(self) -> None:
        """Frees the whole weights that a forward pass without a backward pass leaves in memory."""
        for module in self._root.modules():
            if isinstance(module, FSDPModule):
                module.reshard()

    # ---- files -----------------------------------------------------------------------------------------------

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, StreamedTensor]:
        """This rank's rows as whole tensors that rank 0 writes; all ranks call `send` or write them.

        Args:
            tensors: this rank's rows by name: a parameter's name, or the name and a suffix for optimizer state. Scalars
                are the same on every rank. Rank 0 has rows of every parameter.
        """
        return {name: self._stream(name, tensor) for name, tensor in tensors.items()}

    def send(self, tensors: Mapping[str, Tensor]) -> None:
        """Sends this rank's rows to rank 0, which writes them in the order of `file_order`."""
        for name in file_order(self.gather(tensors)):
            if tensors[name].ndim:
                dist.send(tensors[name].detach().cpu().contiguous(), dst=0)

    def scatter(self, tensors: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Sends every rank its rows of rank 0's tensors; returns this rank's, on the CPU. Empty rows are left out.

        Args:
            tensors: whole tensors by name, as in `gather`; None on other ranks.

        Raises:
            ValueError: a tensor has another shape than its parameter; raised on every rank.
        """
        header = self._world.on_main(
            lambda: {
                name: [str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
                for name, tensor in (tensors or {}).items()
            }
        )
        for name, (_, shape) in header.items():
            whole = self._shape(name)
            if shape and whole is not None and tuple(shape) != whole:
                raise ValueError(f"tensor {name} has shape {tuple(shape)}, not {whole}")
        received: dict[str, Tensor] = {}
        for name, (dtype, shape) in header.items():
            for rank in range(self._world.size):
                rows = rows_of(shape[0], rank, self._world.size) if shape else slice(None)
                mine = rank == self._world.rank
                if tensors is not None and mine:
                    received[name] = tensors[name][rows] if shape else tensors[name]
                elif tensors is not None:
                    _send(tensors[name][rows] if shape else tensors[name], rank)
                elif mine:
                    size = [rows.stop - rows.start, *shape[1:]] if shape else []
                    received[name] = _receive(size, getattr(torch, dtype), 0)
        return {name: tensor for name, tensor in received.items() if tensor.numel() and self._is_mine(name)}

    def whole(self, tensors: Mapping[str, Tensor]) -> nn.Module:
        """A model with these weights, not sharded, on the CPU. It uses the memory of the tensors.

        Args:
            tensors: the weights by parameter name, for example of a checkpoint.
        """
        model = copy.deepcopy(self._skeleton)
        model.load_state_dict(dict(tensors), assign=True)
        return model

    def _stream(self, name: str, tensor: Tensor) -> StreamedTensor:
        if not tensor.ndim:
            return StreamedTensor(tensor.dtype, (), lambda: iter([tensor]))
        shape = self._shape(name) or tuple(tensor.shape)

        def pieces() -> Iterator[Tensor]:
            yield tensor
            for rank in range(1, self._world.size):
                rows = rows_of(shape[0], rank, self._world.size)
                if rows.stop > rows.start:
                    yield _receive([rows.stop - rows.start, *shape[1:]], tensor.dtype, rank)

        return StreamedTensor(tensor.dtype, shape, pieces)

    def _shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of the parameter that a tensor belongs to; None for an unknown name."""
        return self.shapes.get(name, self.shapes.get(name.rpartition(".")[0]))

    def _is_mine(self, name: str) -> bool:
        """Whether this rank has rows of the parameter. An unknown name counts: the caller refuses it."""
        owner = name if name in self.shapes else name.rpartition(".")[0]
        return owner in self.local or owner not in self.shapes


def rows_of(rows: int, rank: int, ranks: int) -> slice:
    """The rows of a parameter that a rank holds.

    Example:
        >>> [rows_of(10, rank, 4) for rank in range(4)]
        [slice(0, 3, None), slice(3, 6, None), slice(6, 9, None), slice(9, 10, None)]
    """
    each = -(-rows // ranks)
    return slice(min(rank * each, rows), min((rank + 1) * each, rows))


def _send(tensor: Tensor, rank: int) -> None:
    if tensor.numel():
        dist.send(tensor.detach().cpu().contiguous(), dst=rank)


def _receive(shape: list[int], dtype: torch.dtype, rank: int) -> Tensor:
    tensor = torch.empty(shape, dtype=dtype)
    if tensor.numel():
        dist.recv(tensor, src=rank)
    return tensor


def _without_weights(model: nn.Module) -> nn.Module:
    """A copy of the model whose parameters take no memory."""
    empty = {
        id(parameter): nn.Parameter(torch.empty_like(parameter, device="meta")) for parameter in model.parameters()
    }
    return copy.deepcopy(model, dict(empty))


def _blocks(model: nn.Module) -> list[nn.Module]:
    """The blocks of a model, outermost first: the children of every module named "blocks"."""
    return [
        block
        for name, module in model.named_modules()
        if name.rpartition(".")[2] == "blocks"
        for block in module.children()
    ]


def _compile_in_training(block: Any) -> None:
    """Compiles the forward pass of a block in training mode; the gathering of its weights stays outside."""
    eager: Callable[..., Any] = block.forward
    compiled: Callable[..., Any] = torch.compile(eager)

    def forward(*arguments: Any) -> Any:
        return compiled(*arguments) if block.training else eager(*arguments)

    block.forward = forward


def _sharded(parameter: nn.Parameter) -> DTensor:
    assert isinstance(parameter, DTensor)
    return parameter


def _local(gradient: Tensor) -> Tensor:
    assert isinstance(gradient, DTensor)
    return gradient.to_local()

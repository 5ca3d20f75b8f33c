"""The next token's logits on a GPU, as one CUDA graph: one call starts all kernels of a step.

A token of a small model takes about 200 kernels of a few microseconds each. Starting them one by one from Python takes
longer than running them. A graph needs the same shapes and addresses at every step, so attention reads a fixed number
of columns of the KV cache, and a mask hides the unfilled ones. That number is the filled columns rounded up to a
multiple of `BLOCK`; when more columns are needed, a new graph is captured. Everything else equals the ordinary path:
the model's own modules on the same `KVCache`. A copy of the head's matrix has padded rows (`loss.padded_rows`).

`generate` uses it for every token after the first forward pass over a window. Graphs are captured on CUDA only. Without
capture the same computation runs on any device, and a test compares its tokens with the ordinary path's on a CPU.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor
from torch.nn import functional as F

from tuppence.model.cache import KVCache
from tuppence.model.gpt import GPT, Block
from tuppence.model.loss import padded_rows

BLOCK = 256
"""The number of cache columns that attention reads is a multiple of this."""

WORTH_CAPTURING = 32
"""Fewer tokens take the ordinary path. A capture begins with a garbage collection and takes as long as ten tokens."""

_WARM_UPS = 2
"""Runs before a capture. In them libraries allocate their memory, which is not allowed during a capture."""


def graph_step(model: GPT, cache: KVCache, tokens: int) -> GraphStep | None:
    """Returns the captured step for the sequences of `cache`, or None if it cannot be used or is not worth it.

    Args:
        model: in evaluation mode or without dropout.
        cache: still empty.
        tokens: number of tokens to generate.
    """
    weight = model.token_embedding.weight
    if weight.device.type != "cuda" or tokens < WORTH_CAPTURING or os.environ.get("TUPPENCE_NATIVE") == "0":
        return None
    if torch.is_autocast_enabled("cuda") or not _is_capturable(model):
        return None
    return GraphStep(model, cache, capture=True)


class GraphStep:
    """Reads one token of every sequence into the cache and returns the logits of the next.

    The step sees weights that are changed in place, except the head, of which it has a padded copy.

    Args:
        model: see `graph_step`.
        cache: overwritten with zeros, so that masked positions hold finite numbers and not uninitialised memory.
        capture: False runs the kernels one by one.

    Attributes:
        captures: number of captured graphs.
    """

    def __init__(self, model: GPT, cache: KVCache, *, capture: bool) -> None:
        self._model, self._cache, self._capture = model, cache, capture
        weight = model.token_embedding.weight.detach()
        rows, device = len(weight), weight.device
        self._vocabulary = rows
        self._head_PD = F.pad(weight, (0, 0, 0, padded_rows(rows, device.type) - rows))
        cache.keys_LBHSK.zero_()
        cache.values_LBHSK.zero_()
        self._tokens_B1 = torch.zeros(cache.keys_LBHSK.shape[1], 1, dtype=torch.long, device=device)
        self._length_1 = torch.zeros(1, dtype=torch.long, device=device)
        self._columns = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._logits_BV = torch.empty(0)
        self.captures = 0

    def __call__(self, tokens: list[int]) -> Tensor:
        """The logits after `tokens`, one for each sequence: (B, V)."""
        start = self._cache.length
        self._tokens_B1.copy_(torch.tensor(tokens)[:, None], non_blocking=True)
        if start >= self._columns or self._graph is None:
            self._length_1.fill_(start)
        if start >= self._columns:
            self._columns = min(-(-(start + 1) // BLOCK) * BLOCK, self._cache.keys_LBHSK.shape[3])
            self._graph = self._captured() if self._capture else None
        if self._graph is None:
            self._logits_BV = self._compute()
        else:
            self._graph.replay()
        self._cache.length += 1
        return self._logits_BV

    def _compute(self) -> Tensor:
        hidden_B1D = self._model.hidden(self._tokens_B1, _FixedShape(self._cache, self._length_1, self._columns))
        self._length_1 += 1
        return F.linear(hidden_B1D[:, -1], self._head_PD)[:, : self._vocabulary]

    def _captured(self) -> torch.cuda.CUDAGraph:
        """Captures the step at the current number of columns. Its writes are overwritten by the next step."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                self._length_1.fill_(self._cache.length)
                self._compute()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # thread_local: other threads of a server can use the GPU during this capture
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._logits_BV = self._compute()
        self._length_1.fill_(self._cache.length)
        self.captures += 1
        return graph


class _FixedShape:
    """The layout of a call on one token of each sequence, for `GPT.hidden`: its shapes do not grow with the sequence.

    Args:
        cache: keys and values so far.
        length_1: number of filled columns, on the device.
        columns: number of columns that attention reads.
    """

    is_causal = False

    def __init__(self, cache: KVCache, length_1: Tensor, columns: int) -> None:
        self._cache, self._length_1, self._columns = cache, length_1, columns
        padding_B1 = cache.padding_B[:, None]
        self.positions_BT = (length_1 - padding_B1).clamp(min=0)
        columns_S = torch.arange(columns, device=length_1.device)
        visible_BS = (columns_S >= padding_B1) & (columns_S <= length_1)
        # a float mask, added to the scores: kernels would convert a boolean mask in every layer
        hidden = torch.zeros((), dtype=cache.keys_LBHSK.dtype, device=length_1.device)
        self.mask: Tensor | None = torch.where(visible_BS, hidden, -torch.inf)[:, None, None]

    def advance(self, tokens: int) -> None:
        """No-op: the step counts the columns on the device."""

    def extend(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Stores the new token's key and value; returns the first columns of the cache, (B, H, S, K) each."""
        keys_BHSK, values_BHSK = self._cache.keys_LBHSK[layer], self._cache.values_LBHSK[layer]
        keys_BHSK.index_copy_(2, self._length_1, k_BHTK)
        values_BHSK.index_copy_(2, self._length_1, v_BHTK)
        return keys_BHSK[:, :, : self._columns], values_BHSK[:, :, : self._columns]


def _is_capturable(model: GPT) -> bool:
    """Whether the model runs on one GPU, through the fused kernel, and its modules have no hooks."""
    place = model.token_embedding.weight.device
    return (
        all(parameter.device == place for parameter in model.parameters())
        and not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
        and all(isinstance(block, Block) and block.attention.implementation == "sdpa" for block in model.blocks)
    )

"""The KV cache: keys and values of previous tokens, so that a forward pass computes only the new token.

Without it the t-th token costs a forward pass over t tokens; with it, over one. Memory is allocated once: 2 L B H S K
numbers, 36 MiB for each sequence for gpt2-124m at context 1,024 in bfloat16. `generate` creates it; `attention` fills
and reads it.

Prompts of different lengths are aligned at their *ends*: the shorter ones begin with padding, so that every call
writes the same columns for all sequences, and the newest token of every sequence is in the last column.

    sequence 0:   The  cat  sat          position 0 1 2, column 0 1 2
    sequence 1:    ·    ·   Hi           position     0, column     2    (padding 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from tuppence.model.config import ModelConfig


class Layout(Protocol):
    """Positions and mask of a call of `GPT.hidden`: `KVCache`, or the `Branches` of a row.

    Attributes:
        positions_BT: the position of every token of the current call.
        mask: where the current call's queries may attend, (B, 1, T, S), or None for plain causal attention.
        is_causal: None above means "causal", not "everything".
    """

    positions_BT: Tensor  # noqa: N815
    mask: Tensor | None
    is_causal: bool

    def advance(self, tokens: int) -> None:
        """Prepares positions and mask for `tokens` new tokens."""

    def extend(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Adds the new keys and values of a layer; returns all of that layer, (B, H, S, K) each."""


class KVCache:
    """Preallocated keys and values of every layer, with the mask and the positions of the current call.

    Args:
        config: the sizes.
        lengths: number of tokens in each prompt, without padding; the first call must have `max(lengths)` columns.
        capacity: columns to allocate: the longest prompt and all tokens that will follow it.

    Attributes:
        length: columns filled so far.
        positions_BT: the position of every token of the current call; padding counts as position 0.
        mask: where the current call's queries may attend, (B, 1, T, S), or None for plain causal attention.
        is_causal: None above means "causal", not "everything".
    """

    def __init__(
        self, config: ModelConfig, lengths: Sequence[int], capacity: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (config.n_layers, len(lengths), config.n_heads, capacity, config.head_width)
        self.keys_LBHSK = torch.empty(shape, dtype=dtype, device=device)
        self.values_LBHSK = torch.empty(shape, dtype=dtype, device=device)
        self.padding_B = max(lengths) - torch.tensor(lengths, device=device)
        self.has_padding = min(lengths) < max(lengths)
        self.length = 0
        self.positions_BT = torch.empty(0, dtype=torch.long, device=device)
        self.mask: Tensor | None = None
        self.is_causal = True

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another token."""
        return self.length == self.keys_LBHSK.shape[3]

    def advance(self, tokens: int) -> None:
        """Adds `tokens` new columns; sets their positions and their mask."""
        start, self.length = self.length, self.length + tokens
        device = self.padding_B.device
        columns_T = torch.arange(start, self.length, device=device)
        self.positions_BT = (columns_T - self.padding_B[:, None]).clamp(min=0)

        # A single query at the end, or a whole prompt from the start, needs no mask. The kernels are fastest without
        # a mask.
        self.mask, self.is_causal = None, start == 0 and tokens > 1
        if self.has_padding or (start > 0 and tokens > 1):
            columns_S = torch.arange(self.length, device=device)
            real_B1S = columns_S >= self.padding_B[:, None, None]
            itself_TS = columns_S == columns_T[:, None]
            causal_TS = columns_S <= columns_T[:, None]
            # padding attends to itself: a query without any key would give NaN
            self.mask, self.is_causal = ((real_B1S & causal_TS) | itself_TS)[:, None], False

    def extend(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Stores one layer's new keys and values; returns all of that layer's so far, (B, H, S, K) each."""
        start = self.length - k_BHTK.shape[2]
        self.keys_LBHSK[layer, :, :, start : self.length] = k_BHTK
        self.values_LBHSK[layer, :, :, start : self.length] = v_BHTK
        return self.keys_LBHSK[layer, :, :, : self.length], self.values_LBHSK[layer, :, :, : self.length]

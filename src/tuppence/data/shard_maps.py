"""The shards of a split as arrays in mapped memory, of which only some are open at a time. Used by `TokenShards`.

Python holds a file descriptor for each map. Systems allow a process 256 or 1,024 of them by default, and Linux 65,530
maps, so a corpus of many shards cannot be mapped as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

MOST_OPEN = 128
"""Shards that are open at the same time. Opening one takes some 20 microseconds."""


class ShardMaps:
    """Maps shards when they are read, and unmaps those that were read the longest time ago.

    Args:
        paths: the shards, in order.
        dtype: of their tokens.
    """

    def __init__(self, paths: Sequence[Path], dtype: np.dtype[Any]) -> None:
        self._paths, self._dtype = list(paths), dtype
        self._map = lru_cache(maxsize=MOST_OPEN)(self._open)

    def __getitem__(self, number: int) -> np.ndarray[Any, Any]:
        """The tokens of a shard."""
        return self._map(number)

    def _open(self, number: int) -> np.ndarray[Any, Any]:
        return np.asarray(np.memmap(self._paths[number], dtype=self._dtype, mode="r"))

"""What a learner's code may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the code may use for one property.

    Attributes:
        seconds: wall time and CPU time. Reading the file has the same limit.
        memory_bytes: memory beyond that of Python and torch.
        printed: characters of its output that are kept; the rest is dropped.
    """

    seconds: float = 20.0
    memory_bytes: int = 2 * 2**30
    printed: int = 1000

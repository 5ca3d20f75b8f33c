"""Tokens per second and model FLOPs utilisation, without the time of evaluation and saving."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from tuppence.cost.hardware import Peak, known_peak
from tuppence.model.precision import DTYPES

RECENT_STEPS = 20


@dataclass
class Clock:
    """Wall time of a run by activity, over all attempts, in seconds.

    Attributes:
        train: optimizer steps, without the first step of each attempt.
        startup: the first step of each attempt, in which torch compiles and warms up.
        evaluation: validation and samples.
        checkpoint: writing and verifying checkpoints.
    """

    train: float = 0.0
    startup: float = 0.0
    evaluation: float = 0.0
    checkpoint: float = 0.0

    @contextlib.contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Adds the wall time of the block to the attribute `name`."""
        start = time.monotonic()
        try:
            yield
        finally:
            setattr(self, name, getattr(self, name) + time.monotonic() - start)

    def as_dict(self) -> dict[str, float]:
        return {f"{name}_seconds": round(value, 3) for name, value in asdict(self).items()}


class Meter:
    """The recent speed of training.

    Args:
        flops_per_token: forward and backward, 6·N + 12·L·d·T.
        peak: of one device; None if it is unknown.
        devices: number of devices.
    """

    def __init__(self, flops_per_token: float, peak: Peak | None, devices: int) -> None:
        self._flops_per_token, self._peak, self._devices = flops_per_token, peak, devices
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT_STEPS)

    def record(self, seconds: float, tokens: int) -> None:
        """Records one step: its wall time, and the tokens of all ranks and accumulation steps."""
        self._recent.append((seconds, tokens))

    @property
    def step_seconds(self) -> float | None:
        """Mean wall time of the recent steps."""
        return sum(seconds for seconds, _ in self._recent) / len(self._recent) if self._recent else None

    @property
    def tokens_per_second(self) -> float | None:
        """Mean speed of the recent steps, over all ranks."""
        seconds = sum(seconds for seconds, _ in self._recent)
        return sum(tokens for _, tokens in self._recent) / seconds if seconds else None

    @property
    def mfu(self) -> float | None:
        """Model FLOPs utilisation of the recent steps, 0 to 1."""
        return self.mfu_at(self.tokens_per_second)

    def mfu_at(self, tokens_per_second: float | None) -> float | None:
        """Model FLOPs utilisation (Chowdhery et al. 2022, arXiv:2204.02311, appendix B) at a speed, 0 to 1."""
        if self._peak is None or tokens_per_second is None:
            return None
        return tokens_per_second * self._flops_per_token / (self._peak.flops_per_second * self._devices)


def device_peak(device: str, precision: str) -> Peak | None:
    """Returns the dense peak of a device: from the datasheet for GPUs, measured for CPUs; None if it is unknown."""
    if device.startswith("cuda"):
        return known_peak(torch.cuda.get_device_name(device), precision)
    return measured_peak(precision) if device == "cpu" else None


def measured_peak(precision: str, size: int = 1024, seconds: float = 0.3) -> Peak:
    """Returns the speed of the fastest square matrix product in `seconds` on this CPU, for the MFU of a CPU run.

    On a shared machine a shorter measurement is too slow: the fastest of seven products was once at half the speed that
    the training step reached afterwards.
    """
    left, right = (torch.randn(size, size).to(DTYPES[precision]) for _ in range(2))
    product = torch.empty_like(left)
    best, end = float("inf"), time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        torch.mm(left, right, out=product)
        best = min(best, time.perf_counter() - start)
    return Peak(2 * size**3 / best, f"measured here: {size}³ matrix products in {precision}")

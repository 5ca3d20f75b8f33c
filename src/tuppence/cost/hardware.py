"""Peak speeds of devices: the denominator of model FLOPs utilisation (MFU).

GPU peaks come from `hardware.json`, each with its source. A CPU's datasheet says little about the speed that the CPU
reaches, so the caller measures the peak of a CPU (`training.throughput`) and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources


@dataclass(frozen=True)
class Peak:
    """A dense peak rate.

    Attributes:
        flops_per_second: floating-point operations per second, a multiply-add counted as two.
        source: where the number comes from.
    """

    flops_per_second: float
    source: str


@lru_cache(maxsize=1)
def _devices() -> list[dict[str, str | float]]:
    text = resources.files("tuppence.cost").joinpath("hardware.json").read_text(encoding="utf-8")
    devices: list[dict[str, str | float]] = json.loads(text)["devices"]
    return devices


def known_peak(device_name: str, precision: str) -> Peak | None:
    """The dense peak of a GPU at a precision ("bf16", "fp16", "float32"), or None if it is unknown.

    Example:
        >>> known_peak("NVIDIA A100-SXM4-40GB", "bf16")
        Peak(flops_per_second=312000000000000.0, source='NVIDIA A100 datasheet')
        >>> known_peak("Tesla T4", "bf16") is None
        True
    """
    words = device_name.replace("-", " ").split()
    for device in _devices():
        wanted = str(device["match"]).split()
        present = any(words[i : i + len(wanted)] == wanted for i in range(len(words)))
        if present and precision in device:
            return Peak(float(device[precision]) * 1e12, str(device["source"]))
    return None

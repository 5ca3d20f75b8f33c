"""Speeds of devices, and the GPUs of AWS's instance types, from `hardware.json`, each with its source.

The peak is the denominator of model FLOPs utilisation (MFU). A CPU's datasheet says little about the speed that the CPU
reaches, so the caller measures the peak of a CPU (`training.throughput`) and says so. `Accelerator.training_speed` is
what a plan uses: a speed that was published, or a share of the peak that is assumed. The two are never mixed up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

Basis = Literal["measured", "published", "assumed"]
"""Where a speed comes from: measured here, published by somebody, or assumed by us."""


@dataclass(frozen=True)
class Peak:
    """A dense peak rate.

    Attributes:
        flops_per_second: floating-point operations per second, a multiply-add counted as two.
        source: where the number comes from.
    """

    flops_per_second: float
    source: str


@dataclass(frozen=True)
class Speed:
    """The rate that training reaches on one device.

    Attributes:
        flops_per_second: 6 N + 12 L d T for each token, times tokens per second.
        basis: whether somebody measured it.
        source: who measured it, or what the assumption is.
    """

    flops_per_second: float
    basis: Basis
    source: str


@dataclass(frozen=True)
class Accelerator:
    """A GPU as a plan sees it.

    Attributes:
        name: such as "T4" or "A100 80GB".
        memory_gib: memory that PyTorch can use.
        precision: the precision that training uses there.
        peak: dense peak in that precision.
        sustained: what large matrix products reach, if a power limit keeps the card far below its peak and somebody
            measured it.
        training_speed: what a plan uses.
    """

    name: str
    memory_gib: float
    precision: str
    peak: Peak
    sustained: Peak | None
    training_speed: Speed

    @property
    def mfu(self) -> float:
        """The share of the peak that `training_speed` is, 0 to 1."""
        return self.training_speed.flops_per_second / self.peak.flops_per_second


@dataclass(frozen=True)
class Instance:
    """An instance type of AWS, without `ml.`.

    Attributes:
        accelerator: its GPU; all GPUs of a type are the same.
        gpus: their number.
        vcpus, memory_gib: the machine's.
        refused: why our container image cannot run on it; None if it can.
    """

    type: str
    accelerator: Accelerator
    gpus: int
    vcpus: int
    memory_gib: int
    refused: str | None = None


def known_peak(device_name: str, precision: str) -> Peak | None:
    """The dense peak of a GPU at a precision ("bf16", "fp16", "float32"), or None if it is unknown.

    Example:
        >>> known_peak("NVIDIA A100-SXM4-40GB", "bf16")
        Peak(flops_per_second=312000000000000.0, source='NVIDIA A100 datasheet')
        >>> known_peak("Tesla T4", "bf16") is None
        True
    """
    device = _device(device_name, precision)
    return None if device is None else Peak(float(device[precision]) * 1e12, str(device["source"]))


def sustained_rate(device_name: str, precision: str) -> Peak | None:
    """What large matrix products reach on a GPU with a power limit; None if nobody measured it, or it is near the peak.

    Example:
        >>> sustained_rate("Tesla T4", "fp16").flops_per_second / known_peak("Tesla T4", "fp16").flops_per_second
        0.36923076923076925
    """
    device = _device(device_name, precision)
    rate = (device or {}).get("sustained", {}).get(precision)
    return None if device is None or rate is None else Peak(rate * 1e12, str(device["sustained_source"]))


@lru_cache(maxsize=1)
def instances() -> dict[str, Instance]:
    """Instance types with a GPU, by name without `ml.`, in the order of `hardware.json`."""
    gpus = {row["gpu"]: _accelerator(row) for row in _tables()["gpus"]}
    return {
        row["type"]: Instance(
            row["type"], gpus[row["gpu"]], row["gpus"], row["vcpus"], row["memory_gib"], row.get("refused")
        )
        for row in _tables()["instances"]
    }


def _accelerator(row: dict[str, Any]) -> Accelerator:
    precision = row["precision"]
    peak, sustained = known_peak(row["device"], precision), sustained_rate(row["device"], precision)
    assert peak is not None, row
    if "published_tflops" in row:
        speed = Speed(row["published_tflops"] * 1e12, "published", row["source"])
    else:
        base = sustained if row["of"] == "sustained" else peak
        assert base is not None, row
        share, tflops = row["assumed_mfu"], base.flops_per_second / 1e12
        what = f"{share:.0%} of the {row['of']} {tflops:g} TFLOP/s"
        speed = Speed(share * base.flops_per_second, "assumed", f"{what}; {row['source']}")
    return Accelerator(row["gpu"], row["memory_gib"], precision, peak, sustained, speed)


def _device(name: str, precision: str) -> dict[str, Any] | None:
    """The first device whose name is a part of `name`, if its rate at the precision is known."""
    words = name.replace("-", " ").split()
    for device in _tables()["devices"]:
        wanted = device["match"].split()
        present = any(words[i : i + len(wanted)] == wanted for i in range(len(words)))
        if present and precision in device:
            return dict(device)
    return None


@lru_cache(maxsize=1)
def _tables() -> dict[str, list[dict[str, Any]]]:
    text = resources.files("tuppence.cost").joinpath("hardware.json").read_text(encoding="utf-8")
    tables: dict[str, list[dict[str, Any]]] = json.loads(text)
    return tables

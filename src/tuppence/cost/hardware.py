"""Speeds of devices, and the GPUs of AWS's instance types, from `hardware.json`, each with its source.

The peak is the denominator of model FLOPs utilisation (MFU). A CPU's datasheet says little about the speed that the CPU
reaches, so the caller measures the peak of a CPU (`training.throughput`) and says so. `Accelerator.speed_for` is what a
plan uses for a model: a speed that was published for a model of that size, or one that is assumed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

Basis = Literal["measured", "published", "assumed"]
"""Where a speed comes from: measured here, published by somebody, or assumed by us."""
INSTANCES = (
    *("ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6.xlarge", "ml.g6e.xlarge", "ml.g5.12xlarge", "ml.p4d.24xlarge"),
    *("ml.p5.4xlarge", "ml.p5.48xlarge"),
)
"""What a plan compares by default: one GPU of each kind, and the usual machines with several."""
NEAR = 1.25
"""A speed counts as published for models whose size is within this factor of the published one."""


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
class Published:
    """A speed that somebody published for one model.

    Attributes:
        model: its name.
        parameters: its size.
        speed: of one GPU.
    """

    model: str
    parameters: int
    speed: Speed


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
        published: the speeds that somebody published, by the size of the model.
        assumed: a share of the peak; None if a speed was published.
        nvlink: whether the GPUs of an instance are linked.
    """

    name: str
    memory_gib: float
    precision: str
    peak: Peak
    sustained: Peak | None
    published: tuple[Published, ...] = ()
    assumed: Speed | None = None
    nvlink: bool = False

    def speed_for(self, parameters: float) -> Speed:
        """Returns the speed of training a model of a size on one GPU.

        It is published if the size is within a factor of `NEAR` of a published one. For other sizes the operations a
        second of the nearest published size are assumed.

        Example:
            >>> h100 = instances()["p5.4xlarge"].accelerator
            >>> [h100.speed_for(size).basis for size in (124e6, 355e6, 774e6, 14e6)]
            ['published', 'published', 'assumed', 'assumed']
        """
        if not self.published:
            assert self.assumed is not None, self
            return self.assumed
        distances = {one: abs(math.log(parameters / one.parameters)) for one in self.published}
        nearest = min(self.published, key=lambda one: distances[one])
        if distances[nearest] <= math.log(NEAR):
            return nearest.speed
        source = f"as many operations a second as {nearest.model}; {nearest.speed.source}"
        return Speed(nearest.speed.flops_per_second, "assumed", source)

    def mfu(self, parameters: float) -> float:
        """Returns the share of the peak that `speed_for` is, 0 to 1."""
        return self.speed_for(parameters).flops_per_second / self.peak.flops_per_second


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
    published = tuple(
        Published(one["model"], one["parameters"], Speed(one["tflops"] * 1e12, "published", one["source"]))
        for one in row.get("published", ())
    )
    nvlink = row.get("nvlink", False)
    if published:
        return Accelerator(row["gpu"], row["memory_gib"], precision, peak, sustained, published, nvlink=nvlink)
    base = sustained if row["of"] == "sustained" else peak
    assert base is not None, row
    share, tflops = row["assumed_mfu"], base.flops_per_second / 1e12
    what = f"{share:.0%} of the {row['of']} {tflops:g} TFLOP/s; {row['source']}"
    speed = Speed(share * base.flops_per_second, "assumed", what)
    return Accelerator(row["gpu"], row["memory_gib"], precision, peak, sustained, assumed=speed, nvlink=nvlink)


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

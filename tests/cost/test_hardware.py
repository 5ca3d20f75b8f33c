"""Peaks are found by the names that torch reports."""

from __future__ import annotations

import pytest

from tuppence.cost.hardware import known_peak


@pytest.mark.parametrize(
    ("name", "precision", "teraflops"),
    [
        ("NVIDIA H200", "bf16", 989),
        ("NVIDIA H100 80GB HBM3", "bf16", 989),
        ("NVIDIA H100 PCIe", "bf16", 756),
        ("NVIDIA A100-SXM4-40GB", "bf16", 312),
        ("NVIDIA A10G", "bf16", 70),
        ("NVIDIA L40S", "bf16", 362),
        ("NVIDIA L4", "bf16", 121),
        ("Tesla T4", "fp16", 65),
        ("Tesla V100-SXM2-16GB", "fp16", 125),
    ],
)
def test_a_gpu_is_known_by_its_name(name: str, precision: str, teraflops: float) -> None:
    peak = known_peak(name, precision)
    assert peak is not None
    assert peak.flops_per_second == teraflops * 1e12
    assert peak.source


@pytest.mark.parametrize(("name", "precision"), [("Tesla T4", "bf16"), ("Radeon", "bf16"), ("NVIDIA L40", "bf16")])
def test_an_unknown_peak_is_none(name: str, precision: str) -> None:
    assert known_peak(name, precision) is None

"""Peaks are found by the names that torch reports."""

from __future__ import annotations

import pytest

from tuppence.cost.hardware import instances, known_peak, sustained_rate


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


def test_a_power_limit_keeps_the_t4_far_below_its_peak() -> None:
    sustained, peak = sustained_rate("Tesla T4", "fp16"), known_peak("Tesla T4", "fp16")
    assert sustained is not None
    assert peak is not None
    assert (sustained.flops_per_second, peak.flops_per_second) == (24e12, 65e12)
    assert "70 W" in sustained.source
    assert sustained_rate("NVIDIA A10G", "bf16") is None


def test_a_published_speed_is_the_tokens_per_second_that_were_published() -> None:
    """The design's count of operations for gpt2-124m: 6 N + 12 L d T."""
    flops_of_a_token = 6 * 124_439_808 + 12 * 12 * 768 * 1024
    published = {"H100": 524_288 / 0.140 / 8, "A100 80GB": 524_288 / 0.300 / 8, "A100 40GB": 491_520 / 0.562 / 8}
    found = {one.accelerator.name: one.accelerator for one in instances().values()}
    for name, tokens_per_second in published.items():
        speed = found[name].training_speed
        assert speed.basis == "published"
        assert speed.flops_per_second == pytest.approx(tokens_per_second * flops_of_a_token, rel=0.01)


def test_every_other_speed_is_marked_as_assumed() -> None:
    for one in instances().values():
        speed = one.accelerator.training_speed
        assert speed.basis in ("published", "assumed")
        assert (speed.basis == "published") == (one.accelerator.name in ("H100", "A100 80GB", "A100 40GB"))
        assert 0.2 < one.accelerator.mfu < 0.65
        assert len(speed.source) > 10


def test_what_cannot_run_our_image_is_marked() -> None:
    refused = {name for name, one in instances().items() if one.refused}
    assert refused == {"p3.2xlarge"}

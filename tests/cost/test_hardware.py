"""Peaks are found by the names that torch reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuppence.cost.hardware import instances, known_peak, sustained_rate
from tuppence.cost.plan import ERRORS
from tuppence.model.config import PRESETS


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
        speed = found[name].speed_for(124_439_808)
        assert speed.basis == "published"
        assert speed.flops_per_second == pytest.approx(tokens_per_second * flops_of_a_token, rel=0.01)


def test_every_published_speed_is_that_of_its_source() -> None:
    """Tokens a second of one GPU, from the numbers that the sources state, times the operations of a token."""
    stated = {
        ("A100 80GB", "gpt2-355m"): 524_288 / 0.820 / 8,
        ("A100 80GB", "gpt2-774m"): 524_288 / 1.7 / 8,
        ("H100", "gpt2-355m"): 60_000 * 524_288 / (5.8 * 3600) / 8,
        ("H100", "gpt2-1558m"): 32e9 / (24 * 3600) / 8,
    }
    gpus = {one.accelerator.name: one.accelerator for one in instances().values()}
    checked = set()
    for (gpu, model), tokens_per_second in stated.items():
        (found,) = [one for one in gpus[gpu].published if one.model == model]
        assert found.parameters == PRESETS[model].parameter_count()
        wanted = tokens_per_second * PRESETS[model].flops_per_token()
        assert found.speed.flops_per_second == pytest.approx(wanted, rel=0.01)
        checked.add((gpu, model))
    others = {(gpu.name, one.model) for gpu in gpus.values() for one in gpu.published} - checked
    assert others == {(gpu, "gpt2-124m") for gpu in ("A100 40GB", "A100 80GB", "H100")}


def test_a_speed_is_published_only_near_a_published_size() -> None:
    published = {
        gpu.name: {name for name in PRESETS if gpu.speed_for(PRESETS[name].parameter_count()).basis == "published"}
        for gpu in (one.accelerator for one in instances().values())
    }
    assert {name: sizes for name, sizes in published.items() if sizes} == {
        "A100 40GB": {"gpt2-124m"},
        "A100 80GB": {"gpt2-124m", "gpt2-355m", "gpt2-774m"},
        "H100": {"gpt2-124m", "gpt2-355m", "gpt2-1558m"},
    }


def test_an_assumed_speed_says_what_it_is_assumed_from() -> None:
    h100 = instances()["p5.4xlarge"].accelerator
    tiny = h100.speed_for(14e6)
    assert (tiny.basis, tiny.flops_per_second) == ("assumed", h100.speed_for(124e6).flops_per_second)
    assert tiny.source.startswith("as many operations a second as gpt2-124m; ")
    for one in instances().values():
        for size in (1e6, 124e6, 1.5e9, 1e11):
            assert 0.2 < one.accelerator.mfu(size) < 0.67
            assert len(one.accelerator.speed_for(size).source) > 10


def test_a_published_size_is_predicted_from_the_others_within_the_stated_error() -> None:
    """Leaving one out: what the nearest other published size of the same GPU says."""
    for gpu in {one.accelerator for one in instances().values()}:
        for left_out in gpu.published if len(gpu.published) > 1 else ():
            others = replace(gpu, published=tuple(one for one in gpu.published if one is not left_out))
            predicted = others.speed_for(left_out.parameters)
            assert predicted.basis == "assumed"
            ratio = predicted.flops_per_second / left_out.speed.flops_per_second
            assert abs(1 / ratio - 1) < ERRORS["published"]


def test_what_cannot_run_our_image_is_marked() -> None:
    refused = {name for name, one in instances().items() if one.refused}
    assert refused == {"p3.2xlarge"}

"""Speed and utilisation by their definitions."""

from __future__ import annotations

import pytest

from tuppence.cost.hardware import Peak
from tuppence.training.throughput import Clock, Meter, device_peak, measured_peak


def test_mfu_is_model_flops_over_the_peak_of_all_devices() -> None:
    meter = Meter(flops_per_token=6e6, peak=Peak(1e11, "test"), devices=2)
    assert meter.mfu is None
    meter.record(0.5, 500)
    meter.record(1.5, 1500)
    assert meter.tokens_per_second == pytest.approx(1000)
    assert meter.mfu == pytest.approx(1000 * 6e6 / 2e11)


def test_only_recent_steps_count() -> None:
    meter = Meter(1.0, None, 1)
    meter.record(1e6, 10)
    for _ in range(20):
        meter.record(1.0, 10)
    assert meter.tokens_per_second == pytest.approx(10)
    assert meter.mfu is None


def test_the_clock_keeps_its_parts_apart_even_through_an_error() -> None:
    clock = Clock()
    with pytest.raises(ValueError), clock.time("evaluation"):
        raise ValueError
    assert clock.evaluation > 0
    assert clock.train == 0
    assert set(clock.as_dict()) == {"train_seconds", "startup_seconds", "evaluation_seconds", "checkpoint_seconds"}


def test_a_cpu_s_peak_is_measured_and_says_so() -> None:
    peak = measured_peak("float32", size=64, seconds=0.01)
    assert peak.flops_per_second > 0
    assert "measured" in peak.source
    assert device_peak("mps", "float32") is None

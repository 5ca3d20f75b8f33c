"""Compilation is chosen if a run is long enough to gain from it."""

from __future__ import annotations

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.hardware import Peak
from tuppence.cost.limits import Limits
from tuppence.training import compilation
from tuppence.training.compilation import worth_compiling

PEAK = Peak(1e12, "test")


def test_long_runs_compile_and_short_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: None)
    assert worth_compiling("auto", Limits(max_seconds=3600), 1e9, PEAK, "cpu")
    assert not worth_compiling("auto", Limits(max_seconds=60), 1e9, PEAK, "cpu")
    assert worth_compiling("auto", Limits(max_steps=100_000), 1e11, PEAK, "cpu")
    assert not worth_compiling("auto", Limits(max_steps=10), 1e11, PEAK, "cpu")


def test_true_and_false_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: None)
    assert worth_compiling(True, Limits(max_steps=1), 1.0, None, "cpu")
    assert not worth_compiling(False, Limits(max_seconds=1e9), 1.0, PEAK, "cpu")


def test_without_a_compiler_auto_does_not_compile_and_true_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: "C++ compiler")
    assert not worth_compiling("auto", Limits(max_seconds=1e9), 1.0, PEAK, "cpu")
    with pytest.raises(InputError, match="C\\+\\+ compiler"):
        worth_compiling(True, Limits(max_seconds=1e9), 1.0, PEAK, "cpu")

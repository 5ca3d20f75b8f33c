"""`benchmarks/gpu_check.py` names tests that exist: where no GPU is, nothing else runs all of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
SCRIPT = TESTS.parent / "benchmarks" / "gpu_check.py"


def test_every_test_that_the_gpu_check_runs_exists() -> None:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_check"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    named = [*module.QUICK_TESTS, *module.FURTHER_TESTS]
    assert named
    assert [name for name in named if not (TESTS / name).exists()] == []

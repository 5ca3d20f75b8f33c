"""Decides whether torch.compile saves time in a run."""

from __future__ import annotations

import importlib.util
import sys
from typing import Literal

from tuppence.core.environment import cpp_compiler
from tuppence.core.errors import InputError
from tuppence.cost.hardware import Peak
from tuppence.cost.limits import Limits

COMPILE_SECONDS = 60.0
"""Approximate time to compile: 20 to 60 seconds for a GPT-2 on two cores, without a cache."""

GAIN = 1.3
"""Speed of a compiled step over an eager one, a cautious estimate."""

EAGER_UTILISATION = 0.25
"""Approximate share of the peak that an eager step reaches."""


def worth_compiling(
    wanted: bool | Literal["auto"], limits: Limits, flops_per_step: float, peak: Peak | None, device: str
) -> bool:
    """Returns whether to compile. Decided before the first step, so the time of a step is estimated.

    Args:
        wanted: True or False decides; "auto" compiles if the time saved is at least twice the time to compile.
        limits: limits of the run.
        flops_per_step: floating-point operations of one step on this rank.
        peak: of the device; None if it is unknown.
        device: torch's name of the device.

    Raises:
        InputError: `wanted` is True, and this machine cannot compile.
    """
    missing = missing_compiler(device)
    if wanted is True and missing:
        raise InputError(f"train.compile is true, and there is no {missing} here", "install it, or set it to auto")
    if wanted != "auto":
        return wanted
    if missing:
        return False
    seconds = limits.seconds_left(elapsed=0.0, spent=0.0)
    if limits.max_steps is not None and peak is not None:
        eager = flops_per_step / (peak.flops_per_second * EAGER_UTILISATION)
        seconds = min(seconds, limits.max_steps * eager)
    return seconds * (1 - 1 / GAIN) > 2 * COMPILE_SECONDS


def missing_compiler(device: str) -> str | None:
    """Returns what torch.compile needs on this device and does not find; None if nothing is missing."""
    if sys.platform == "win32":
        return "support for torch.compile on Windows"
    if device.startswith("cuda"):
        return None if importlib.util.find_spec("triton") else "triton"
    if device.startswith("mps"):
        return "support for torch.compile on this device"
    return None if cpp_compiler() else "C++ compiler"

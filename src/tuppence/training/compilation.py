"""Whether torch.compile pays for itself in a run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from typing import Literal

from tuppence.core.errors import InputError
from tuppence.cost.hardware import Peak
from tuppence.cost.limits import Limits

COMPILE_SECONDS = 60.0
"""What compiling takes, roughly: 20 to 60 seconds for a GPT-2 on two cores, cold."""

GAIN = 1.3
"""Speed of a compiled step over an eager one, cautiously."""

EAGER_UTILISATION = 0.25
"""Share of the peak that an eager step reaches, roughly."""


def worth_compiling(
    wanted: bool | Literal["auto"], limits: Limits, flops_per_step: float, peak: Peak | None, device: str
) -> bool:
    """Decides on compilation before the first step, from what is known then.

    Args:
        wanted: True and False are obeyed; "auto" compiles where the time saved is twice the time compiling takes.
        limits: of the run.
        flops_per_step: floating-point operations of one step on this rank.
        peak: of the device; None where unknown.
        device: as torch names it.

    Raises:
        InputError: compilation is asked for and cannot work here.
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
    """What torch.compile needs on this device and does not find, or None."""
    if sys.platform == "win32":
        return "support for torch.compile on Windows"
    if device.startswith("cuda"):
        return None if importlib.util.find_spec("triton") else "triton"
    if device.startswith("mps"):
        return "support for torch.compile on this device"
    found = any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++"))
    return None if found else "C++ compiler"

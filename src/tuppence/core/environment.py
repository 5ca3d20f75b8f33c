"""Detects the platform, the device and its precision, and facts about the machine.

All facts are read from the system: no tensor is created, no network is used, and no credential is read. torch is
imported inside the functions that need it, so that this module imports fast and `where` works without torch.

Called by the training verbs (device and precision), by `cost` (where) and by `tuppence doctor`.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuppence.core.errors import InputError

Place = Literal["colab", "sagemaker-studio", "sagemaker-training", "local"]
PrecisionName = Literal["bf16", "fp16", "float32"]

GIB = 2**30
_PRECISIONS: tuple[PrecisionName, ...] = ("bf16", "fp16", "float32")
_CPU_BF16_FLAGS = ("amx_bf16", "avx512_bf16")


@dataclass(frozen=True)
class Precision:
    """The precision of matrix products, and the reason for it. Master weights and optimizer state are float32."""

    name: PrecisionName
    reason: str


def where(environ: Mapping[str, str] | None = None, root: Path = Path("/")) -> Place:
    """Returns the platform of this process, from the variables and files that each platform documents.

    - SageMaker training: `SM_TRAINING_ENV` or `TRAINING_JOB_NAME` (the training toolkit's and the platform's own
      variables), or `/opt/ml/input/config/resourceconfig.json`, which every training container has.
    - SageMaker Studio (and notebook instances): `SAGEMAKER_APP_TYPE` or `SAGEMAKER_SPACE_NAME`, or
      `/opt/ml/metadata/resource-metadata.json`.
    - Colab: `COLAB_RELEASE_TAG`, `COLAB_BACKEND_VERSION` or `COLAB_GPU`.

    Args:
        environ: the environment variables; this process's own by default.
        root: the root of the file system; tests use another folder.

    Example:
        >>> where({"COLAB_RELEASE_TAG": "release-colab-external"})
        'colab'
    """
    environ = os.environ if environ is None else environ
    ml = root / "opt" / "ml"
    if _any_set(environ, "SM_TRAINING_ENV", "TRAINING_JOB_NAME"):
        return "sagemaker-training"
    if (ml / "input" / "config" / "resourceconfig.json").is_file():
        return "sagemaker-training"
    if _any_set(environ, "SAGEMAKER_APP_TYPE", "SAGEMAKER_SPACE_NAME"):
        return "sagemaker-studio"
    if (ml / "metadata" / "resource-metadata.json").is_file():
        return "sagemaker-studio"
    if _any_set(environ, "COLAB_RELEASE_TAG", "COLAB_BACKEND_VERSION", "COLAB_GPU"):
        return "colab"
    return "local"


def choose_device(requested: str = "auto") -> str:
    """Returns the requested torch device, or the best available one.

    Args:
        requested: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.

    Returns:
        `cuda`, `cuda:N`, `mps` or `cpu`.

    Raises:
        InputError: the device is unknown, or this machine or this torch does not have it.
    """
    if requested == "cpu":
        return "cpu"
    if not re.fullmatch(r"auto|mps|cuda(:\d+)?", requested):
        raise InputError(f"unknown device {requested!r}", "use auto, cpu, mps, cuda or cuda:N")
    torch = _torch()
    if requested == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if requested == "mps":
        if not torch.backends.mps.is_available():
            raise InputError(
                "device mps is not available here",
                "leave the device to auto, or a Mac with Apple silicon",
            )
        return "mps"
    if not torch.cuda.is_available():
        raise InputError(f"device {requested} is not available here", _no_cuda_hint(torch))
    index = int(requested.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise InputError(
            f"device {requested} does not exist: this machine has {torch.cuda.device_count()} GPU(s)",
            "count them from cuda:0",
        )
    return requested


def choose_precision(device: str, requested: str = "auto") -> Precision:
    """Returns the requested precision for `device`, or the fastest one in which GPT-2 trains reliably.

    bf16 has the range of float32 and needs no loss scaling. It is used if the hardware multiplies it (NVIDIA since
    Ampere; CPUs with AMX or AVX-512 BF16). fp16 with a gradient scaler is used on Volta and Turing (V100, T4), whose
    tensor cores do not support bf16. All other devices compute in float32.

    Raises:
        InputError: the name is unknown, or the device cannot train in it.
    """
    kind = device.partition(":")[0]
    if requested == "auto":
        return _automatic_precision(device, kind)
    if requested not in _PRECISIONS:
        raise InputError(f"unknown precision {requested!r}", "use auto, bf16, fp16 or float32")
    if requested == "fp16" and kind != "cuda":
        raise InputError(
            f"precision fp16 needs an NVIDIA GPU, and the device is {kind}",
            "use precision auto, which is the fastest here",
        )
    if requested == "bf16" and kind == "cuda":
        torch = _torch()
        major, minor = torch.cuda.get_device_capability(device)
        if major < 8:
            raise InputError(
                f"precision bf16 needs a GPU of compute capability 8.0 or higher, and "
                f"{torch.cuda.get_device_name(device)} has {major}.{minor}",
                "use precision auto, which is the fastest here",
            )
    return Precision(requested, "asked for")


def _automatic_precision(device: str, kind: str) -> Precision:
    if kind == "cuda":
        torch = _torch()
        major, minor = torch.cuda.get_device_capability(device)
        name = torch.cuda.get_device_name(device)
        if major >= 8:
            return Precision("bf16", f"{name} (compute capability {major}.{minor}) has bf16 tensor cores")
        if major == 7:
            return Precision(
                "fp16",
                f"{name} (compute capability {major}.{minor}) has fp16 tensor cores and no bf16; a gradient"
                " scaler keeps small gradients alive",
            )
        return Precision("float32", f"{name} (compute capability {major}.{minor}) has no tensor cores")
    if kind == "cpu":
        flags = cpu_flags()
        for flag in _CPU_BF16_FLAGS:
            if flag in flags:
                return Precision("bf16", f"this CPU multiplies bf16 in hardware ({flag})")
        return Precision("float32", "this CPU has neither AMX nor AVX-512 BF16")
    return Precision("float32", f"{kind} is fastest and safest in float32 here")


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Returns the instruction sets of the CPU on Linux; an empty set on other systems."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    match = re.search(r"^(?:flags|features)\s*:(.*)$", text, re.MULTILINE | re.IGNORECASE)  # x86 and ARM
    return frozenset(match[1].split()) if match else frozenset()


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Returns the model name of the CPU, or the architecture if the model is unknown."""
    try:
        match = re.search(r"^model name\s*:(.*)$", cpuinfo.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    except OSError:
        match = None
    return match[1].strip() if match else (platform.processor() or platform.machine() or "unknown")


def cpp_compiler() -> str | None:
    """Returns the path of the C++ compiler, the one of the variable CXX or a usual one; None if there is none."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX") or "g++", "g++", "clang++"))), None)


def cpu_count(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Returns how many cores this process can use: the smaller of affinity mask and container quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota, _, period = _first_line(cgroup / "cpu.max").partition(" ")
    if not quota:  # cgroup version 1; "-1" there means no quota
        quota = _first_line(cgroup / "cpu" / "cpu.cfs_quota_us")
        period = _first_line(cgroup / "cpu" / "cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def memory_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Returns the memory that this process can use: the smaller of machine memory and container limit."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None  # Windows has no sysconf
    limit = _first_line(cgroup / "memory.max") or _first_line(cgroup / "memory" / "memory.limit_in_bytes")
    return min(total, int(limit)) if limit.isdigit() else total


def free_disk_bytes(folder: Path) -> int | None:
    """Returns the free space on the disk of `folder`, which may not exist yet; None if it is unknown."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def describe(device: str, precision: Precision) -> dict[str, Any]:
    """Returns the facts about the machine that a run records, as plain values for YAML."""
    facts: dict[str, Any] = {
        "where": where(),
        "device": device,
        "precision": precision.name,
        "precision_reason": precision.reason,
        "cpu": cpu_name(),
        "cores": cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    memory = memory_bytes()
    if memory is not None:
        facts["memory_gib"] = round(memory / GIB, 1)
    if device.startswith("cuda"):
        torch = _torch()
        facts["gpu"] = torch.cuda.get_device_name(device)
        facts["gpu_memory_gib"] = round(torch.cuda.get_device_properties(device).total_memory / GIB, 1)
    return facts


def _torch() -> Any:
    try:
        import torch
    except Exception as error:  # a torch whose libraries do not match raises OSError, not ImportError
        raise InputError(
            f"torch cannot be imported: {type(error).__name__}: {error}",
            f"{Path(sys.executable).name} -m pip install --force-reinstall 'torch>=2.6'",
        ) from error
    return torch


def _no_cuda_hint(torch: Any) -> str:
    if torch.version.cuda is None:
        return "this torch is a build without CUDA: install one with CUDA, or leave the device to auto"
    return "check that nvidia-smi lists a GPU, or leave the device to auto"


def _any_set(environ: Mapping[str, str], *names: str) -> bool:
    return any(environ.get(name) for name in names)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except OSError:
        return ""

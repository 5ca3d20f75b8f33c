"""The checks of `tuppence doctor`: each returns ok, warn or fail, a value, and a hint.

A check never raises, whatever the machine. No check prints, uses the network or reads a credential: whether AWS
credentials exist is derived from the names of variables and files only.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuppence.core import environment
from tuppence.core.environment import GIB

Status = Literal["ok", "warn", "fail"]

EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "aws": (("boto3",), "s3:// and tuppence aws"),
    "eval": (("lm_eval",), "lm-eval on our models"),
    "files": (("pyarrow", "zstandard"), "reading .parquet and .zst"),
    "plot": (("matplotlib",), "tuppence report"),
    "rehearse": (("boto3", "ministack"), "tuppence aws launch --rehearse"),
    "track": (("tensorboard",), "--track tensorboard"),
}
"""Extra → the modules that it installs, and their purpose."""


@dataclass(frozen=True)
class Check:
    """One line in the output of `tuppence doctor`.

    Attributes:
        name: what was checked.
        status: `ok`; `warn`: something will be slow or missing; `fail`: nothing works until this is fixed.
        value: the result.
        hint: what to do, or empty.
    """

    name: str
    status: Status
    value: str
    hint: str = ""


def examine(folder: Path) -> list[Check]:
    """Runs all checks, and returns them in the order in which they are printed.

    Args:
        folder: the folder for runs; the disk of this folder is checked.
    """
    steps: list[tuple[str, Callable[[], Check]]] = [
        ("python", _python),
        ("torch", _torch),
        ("device", _device),
        ("precision", _precision),
        ("compiler", _compiler),
        ("cores", _cores),
        ("memory", _memory),
        ("disk", lambda: _disk(folder)),
        ("place", lambda: Check("place", "ok", environment.where())),
        ("aws", lambda: aws_credentials(os.environ, _home())),
        *((f"extra {name}", lambda name=name: _extra(name)) for name in EXTRAS),
    ]
    return [_survive(name, step) for name, step in steps]


def verdict(checks: list[Check]) -> Status:
    """Returns the worst status of all checks."""
    statuses = {check.status for check in checks}
    return "fail" if "fail" in statuses else "warn" if "warn" in statuses else "ok"


def aws_credentials(environ: Mapping[str, str], home: Path) -> Check:
    """Returns whether boto3 would find credentials, in boto3's search order. No value is read or shown.

    The role of the instance (instance metadata) is not checked: that is a network call, which hangs on a laptop.
    """
    sources = {
        "environment variables": bool(environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY")),
        "web identity role": bool(environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environ.get("AWS_ROLE_ARN")),
        "shared credentials file": (
            Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials").is_file()
        ),
        "profile in the config file": _names_a_role(environ.get("AWS_CONFIG_FILE"), home / ".aws/config"),
        "container role": bool(
            environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        ),
    }
    found = [source for source, present in sources.items() if present]
    if found:
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        where = f"region {region}" if region else "no region in AWS_REGION"
        return Check("aws", "ok", f"credentials present ({', '.join(found)}), {where}")
    return Check("aws", "ok", "no credentials (only needed for s3:// and SageMaker)", "run: aws configure")


def _survive(name: str, step: Callable[[], Check]) -> Check:
    try:
        return step()
    except Exception as error:
        return Check(name, "warn", f"could not be examined: {type(error).__name__}: {error}")


def _home() -> Path:
    """Returns the user's home folder, or the root folder for a user without one (no credentials are found there)."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def _python() -> Check:
    # pip does not install tuppence on Python older than 3.11
    return Check("python", "ok", f"{platform.python_version()} ({platform.system()} {platform.machine()})")


def _torch() -> Check:
    reinstall = "python -m pip install --force-reinstall 'torch>=2.6'"
    try:
        import torch
    except ModuleNotFoundError:
        return Check("torch", "fail", "not installed", reinstall)
    except Exception as error:  # incompatible libraries: OSError, ImportError of a symbol, …
        return Check("torch", "fail", f"cannot be imported: {type(error).__name__}: {error}", reinstall)
    version = str(torch.__version__)
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < (2, 6):
        return Check("torch", "fail", version, "tuppence needs torch 2.6 or newer: " + reinstall)
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return Check("torch", "ok", f"{version} ({build})")


def _device() -> Check:
    import torch

    device = environment.choose_device()
    if device == "cuda":
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        memory = torch.cuda.get_device_properties(0).total_memory / GIB
        return Check("device", "ok", f"cuda: {len(names)} × {names[0]}, {memory:.0f} GiB")
    if device == "mps":
        return Check("device", "ok", f"mps: {environment.cpu_name()}")
    if shutil.which("nvidia-smi") and torch.version.cuda is None:
        return Check("device", "warn", "cpu", "there seems to be a GPU, but this torch is a build without CUDA")
    return Check("device", "ok", f"cpu: {environment.cpu_name()}")


def _precision() -> Check:
    precision = environment.choose_precision(environment.choose_device())
    return Check("precision", "ok", f"{precision.name}: {precision.reason}")


def _compiler() -> Check:
    if environment.choose_device() == "cuda":
        found = importlib.util.find_spec("triton") is not None
        value, hint = "triton", "pip install triton: without it, torch.compile cannot speed up training"
    else:
        compiler = environment.cpp_compiler()
        found, value = compiler is not None, str(compiler)
        hint = "install g++ (apt-get install g++): without it, torch.compile cannot speed up training"
    if found:
        return Check("compiler", "ok", f"{value} (for torch.compile)")
    return Check("compiler", "warn", "none: training runs uncompiled", hint)


def _cores() -> Check:
    return Check("cores", "ok", str(environment.cpu_count()))


def _memory() -> Check:
    memory = environment.memory_bytes()
    if memory is None:
        return Check("memory", "ok", "unknown on this system")
    value = f"{memory / GIB:.1f} GiB"
    if memory < 4 * GIB:
        return Check("memory", "warn", value, "gpt2-124m trains in about 4 GiB: take a smaller preset")
    return Check("memory", "ok", value)


def _disk(folder: Path) -> Check:
    free = environment.free_disk_bytes(folder)
    if free is None:
        return Check("disk", "warn", f"unknown at {folder}")
    value = f"{free / GIB:.1f} GiB free"
    if free < GIB // 4:
        return Check("disk", "fail", value, "free some space: even a small run writes more than that")
    if free < 5 * GIB:
        return Check("disk", "warn", value, "checkpoints of gpt2-124m take 1.5 GB each: keep few, or free some space")
    return Check("disk", "ok", value)


def _extra(name: str) -> Check:
    modules, purpose = EXTRAS[name]
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        hint = f"pip install 'tuppence[{name}]'"
        return Check(f"extra {name}", "warn", f"{', '.join(missing)} missing ({purpose})", hint)
    return Check(f"extra {name}", "ok", f"{', '.join(modules)} ({purpose})")


def _names_a_role(stated: str | None, usual: Path) -> bool:
    """Returns whether an AWS config file has a single sign-on, a role or a process.

    A region alone gives no credentials.
    """
    try:
        text = (Path(stated) if stated else usual).read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"^\s*(sso_session|sso_start_url|role_arn|credential_process)\s*=", text, re.MULTILINE) is not None

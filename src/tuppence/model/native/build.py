"""Builds `decode_step.cpp` for this processor, once, and loads it.

The compiler is the machine's own (g++ or clang++), as for torch.compile. A build takes two seconds and needs no
package. The library is stored in the user's cache folder (`$XDG_CACHE_HOME/tuppence`, or `~/.cache/tuppence`). Its name
contains a hash of the source, the flags and the processor, so each source version and each kind of processor has its
own build. It is never stored in the checkout or in a folder that other users can write.

Nothing here raises: without a compiler, or on a system that is not POSIX, there is no library, and `generate` uses
torch. `TUPPENCE_NATIVE=0` has the same effect.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from tuppence.core import console
from tuppence.core.cache import cache_folder
from tuppence.core.environment import cpp_compiler, cpu_flags

SOURCE = Path(__file__).with_name("decode_step.cpp")

FLAGS = ("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-pthread", "-Wno-psabi")

_PORTABLE_FLAGS = tuple(flag for flag in FLAGS if flag != "-march=native")
"""For a compiler that does not know this processor."""

TIMEOUT_SECONDS = 120

_failed: set[Path] = set()
"""Libraries that could not be built or loaded in this process; they are not tried again."""


def library(build: bool) -> ctypes.CDLL | None:
    """The compiled library, or None where there is none.

    Args:
        build: whether to build the library if it is missing; a build prints a line on stderr.
    """
    if os.environ.get("TUPPENCE_NATIVE") == "0" or os.name != "posix":
        return None
    path = library_path()
    if path is None or path in _failed:
        return None
    try:
        if not path.exists() and not (build and _build(path)):
            return None
        return _load(path)
    except OSError:
        _failed.add(path)
        return None


def library_path() -> Path | None:
    """Returns the path of the library for this source and processor; None for a user without a home folder."""
    cache = cache_folder()
    return None if cache is None else cache / f"decode_step-{_fingerprint()}.so"


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    parts = (SOURCE.read_text(encoding="utf-8"), *FLAGS, platform.system(), platform.machine(), _processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """What `-march=native` depends on: the processor's features on Linux, its name elsewhere."""
    return " ".join(sorted(cpu_flags())) or platform.processor()


@lru_cache(maxsize=1)
def _load(path: Path) -> ctypes.CDLL:
    """Loads a library that only this user can have put there."""
    for place in (path, path.parent):
        status = place.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise PermissionError(f"{place} can be written by others")
    return ctypes.CDLL(str(path))


def _build(path: Path) -> bool:
    """Compiles into a temporary file next to `path` and renames it, so that several processes may build it at once."""
    compiler = cpp_compiler()
    if compiler is None:
        _failed.add(path)
        return False
    console.note("compiling the generation step for this processor (once, a few seconds)")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        if not any(_compile([compiler, *flags], built) for flags in (FLAGS, _PORTABLE_FLAGS)):
            _failed.add(path)
            return False
        built.chmod(0o700)
        built.replace(path)
    return True


def _compile(command: list[str], built: Path) -> bool:
    try:
        subprocess.run(
            [*command, str(SOURCE), "-o", str(built)], check=True, capture_output=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.SubprocessError:
        return False
    return True

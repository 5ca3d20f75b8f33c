"""Exhausted memory has an error of its own; with the allocator settings, freed blocks stay in the process."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tuppence.core.errors import OutOfMemoryError
from tuppence.core.memory import explaining_memory, out_of_memory

CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 4398046511104 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity …"),
            "the GPU has not enough memory (2.50 GiB more were asked for)",
        ),
        (RuntimeError(CPU), "this machine has not enough memory (4096.00 GiB more were asked for)"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling …"), "the GPU has not enough memory"),
        (RuntimeError("MPS backend out of memory (MPS allocated: …)"), "the GPU has not enough memory"),
        (MemoryError(), "this machine has not enough memory"),
        (OSError(12, "Cannot allocate memory"), "this machine has not enough memory"),
    ],
)
def test_exhausted_memory_gives_an_error_of_one_line(error: Exception, message: str) -> None:
    with pytest.raises(OutOfMemoryError) as caught, explaining_memory("use less"):
        raise error
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == (message, "use less", 2)


def test_torch_s_own_error_is_recognised() -> None:
    with pytest.raises(OutOfMemoryError, match="not enough memory"), explaining_memory(""):
        torch.empty(2**50)


@pytest.mark.parametrize("error", [ValueError("out of memory is a film"), RuntimeError("shapes do not fit")])
def test_other_errors_are_not_translated(error: Exception) -> None:
    assert out_of_memory(error, "") is None
    with pytest.raises(type(error), match=str(error)), explaining_memory(""):
        raise error


PROGRAM = """
import resource, sys
if sys.argv[1] == "keep":
    from tuppence.core.memory import keep_freed_memory
    keep_freed_memory()
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.ones(2**24)
before = faults()
for _ in range(10):
    np.ones(2**24)
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_blocks_that_are_freed_and_taken_again_cause_no_page_faults() -> None:
    faults = {}
    for mode in ("keep", "default"):
        done = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
        faults[mode] = int(done.stdout)
    assert faults["keep"] * 10 <= max(faults["default"], 10)

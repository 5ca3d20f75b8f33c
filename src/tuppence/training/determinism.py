"""Bitwise reproducible training: exact resume needs this and seeds that are functions of the step.

Some kernels add floats in the order in which their threads arrive: compiled scatter-additions (the gradient of an
embedding), and the backward passes of flash and memory-efficient attention on GPUs. torch has an ordered version of
each. It uses the ordered backward pass of attention only in its strict mode, which raises for an operation without an
ordered version. Strict mode is therefore on only around forward and backward of a training step. Sampling uses
operations that strict mode refuses on a GPU (`cumsum`), and sampling updates no weight.

Tested: on a CPU, a compiled scatter-addition and whole interrupted runs give the same bits
(tests/training/test_determinism.py, tests/integration/test_resume.py). On CUDA, `make gpu-check` compares interrupted
with uninterrupted runs on the GPU that it runs on. Not tested: Apple's GPUs. benchmarks/LOG.md has the cost of strict
mode.

On Intel and AMD processors torch computes exp, log and similar functions with oneMKL's vector mathematics. oneMKL
chooses its kernel for the processor at the first call. Two threads that make the first call at the same time race:
until one of them has chosen, the other may use a kernel with half the digits (errors of 1e-4; torch 2.13's oneMKL
2024.2, https://github.com/pytorch/pytorch/issues/188792). One call from a single thread, before all others, avoids the
race.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from tuppence.core.errors import InputError

_MASK = 2**64 - 1


def compute_deterministically() -> None:
    """Prepares the process for `ordered_kernels`. Call it before any computation."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at the first matrix product on a GPU
    # off: it would fill every new tensor, and we read no tensor before writing it
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    _settle_vector_mathematics()


@contextlib.contextmanager
def ordered_kernels(wanted: bool = True) -> Iterator[None]:
    """Uses kernels whose result does not depend on timing, inside the block; torch raises where it has no such kernel.

    `torch._inductor.config.deterministic` is set too, if this version of torch has it: compiled code then chooses its
    kernels without timing them.

    Args:
        wanted: False leaves everything as it is.

    Raises:
        InputError: an operation inside has no ordered version on this device.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    _use_deterministic_algorithms(True, warn_only=False)
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        what = str(error).partition(", but")[0].splitlines()[0]
        raise InputError(
            f"a step cannot be added up in the same order every time: {what}",
            "give --set train.deterministic=false: a resumed run may then differ in the last bits",
        ) from error
    finally:
        _use_deterministic_algorithms(before[0], warn_only=before[1])


def _use_deterministic_algorithms(mode: bool, *, warn_only: bool) -> None:
    torch.use_deterministic_algorithms(mode, warn_only=warn_only)
    import torch._inductor.config as inductor  # a newer torch has set it above

    if hasattr(inductor, "deterministic"):
        inductor.deterministic = mode


def _settle_vector_mathematics() -> None:
    """Calls each oneMKL function once from this thread. Eight numbers are too few to be divided among threads."""
    for dtype in (torch.float32, torch.float64):
        few = torch.ones(8, dtype=dtype)
        for function in (torch.exp, torch.log, torch.sqrt, torch.tanh, torch.sin, torch.cos, torch.erf):
            function(few)


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed of 63 bits for (seed, step, rank) by rounds of splitmix64: the seeds of neighbouring steps are unrelated.

    Steele, Lea and Flood 2014, https://doi.org/10.1145/2714064.2660195. Different arguments give different
    inputs for seeds below 2**32, steps below 2**64 and ranks below 2**32.
    """
    low = (seed & 0xFFFFFF) << 40 | (step & 0xFFFFFFFF) << 8 | rank & 0xFF
    high = (seed >> 24) << 56 | (step >> 32) << 24 | rank >> 8
    if high:  # arguments that do not fit into 64 bits together; for all others the seeds do not change
        low ^= _splitmix(_splitmix(high))
    return _splitmix(_splitmix(low)) >> 1


def _splitmix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)

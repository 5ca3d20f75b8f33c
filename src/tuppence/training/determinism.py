"""The same bits every time: what exact resume rests on, beside seeds that are functions of the step.

Some kernels add up floats in whatever order their threads arrive: compiled scatter-additions (the gradient of an
embedding), flash attention's backward pass on GPUs. torch has an ordered version of each, and is told to take it. What
it costs is in benchmarks/LOG.md. Where torch knows no ordered version it warns, and exact resume is not promised.

On Intel and AMD processors torch hands exp, log and their like to oneMKL's vector mathematics. That chooses its kernel
for the processor when it is first called, and two threads that call it first at once race: until one of them has
chosen, the other may compute its part with a kernel of half the digits (errors of 1e-4; torch 2.13's oneMKL 2024.2,
https://github.com/pytorch/pytorch/issues/188792). One call from one thread, before any other, leaves nothing to race
for.
"""

from __future__ import annotations

import os

import torch


def compute_deterministically() -> None:
    """Asks torch for kernels whose result does not depend on timing. For the whole process, before it computes."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first matrix product is made on a GPU
    torch.use_deterministic_algorithms(True, warn_only=True)
    # off: it would overwrite every fresh tensor, and we read none before writing it
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    _settle_vector_mathematics()


def _settle_vector_mathematics() -> None:
    """Calls what oneMKL computes for us once from this thread alone: numbers so few are not divided among threads."""
    for dtype in (torch.float32, torch.float64):
        few = torch.ones(8, dtype=dtype)
        for function in (torch.exp, torch.log, torch.sqrt, torch.tanh, torch.sin, torch.cos, torch.erf):
            function(few)


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed of 63 bits for (seed, step, rank) by two rounds of splitmix64: neighbours have nothing in common.

    Steele, Lea and Flood 2014, https://doi.org/10.1145/2714064.2660195.
    """
    value = (seed << 40) ^ (step << 8) ^ rank
    for _ in range(2):
        value = (value + 0x9E3779B97F4A7C15) & (2**64 - 1)
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        value ^= value >> 31
    return value >> 1

"""The gradient of an embedding, compiled, is the same every time."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tuppence.training.determinism import step_seed

PROGRAM = """
import hashlib, torch
from tuppence.training.determinism import compute_deterministically
compute_deterministically()
torch.manual_seed(0)
table = torch.nn.Embedding(50, 64)
tokens = torch.randint(0, 50, (4096,))
weights = torch.randn(4096, 64)
loss = torch.compile(lambda: (table(tokens) * weights).sin().sum())
digests = set()
for _ in range(20):
    table.weight.grad = None
    loss().backward()
    digests.add(hashlib.sha256(table.weight.grad.numpy().tobytes()).hexdigest())
print(len(digests))
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_scatter_adds_in_one_order() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_step_seeds_are_distinct_and_fit_torch() -> None:
    seeds = {step_seed(seed, step, rank) for seed in range(4) for step in range(500) for rank in range(4)}
    assert len(seeds) == 4 * 500 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    ones = sum(seed.bit_count() for seed in seeds) / len(seeds)
    assert 31 < ones < 32  # neighbours differ in half of their 63 bits

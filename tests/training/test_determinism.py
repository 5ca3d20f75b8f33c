"""The gradient of an embedding, compiled, is the same every time; so is the first loss of a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.training.determinism import ordered_kernels, step_seed

PROGRAM = """
import hashlib, torch
from tuppence.training.determinism import compute_deterministically, ordered_kernels
compute_deterministically()
torch.manual_seed(0)
table = torch.nn.Embedding(50, 64)
tokens = torch.randint(0, 50, (4096,))
weights = torch.randn(4096, 64)
loss = torch.compile(lambda: (table(tokens) * weights).sin().sum())
digests = set()
for _ in range(20):
    table.weight.grad = None
    with ordered_kernels():
        loss().backward()
    digests.add(hashlib.sha256(table.weight.grad.numpy().tobytes()).hexdigest())
print(len(digests))
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_scatter_adds_in_one_order() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


FIRST_STEPS = """
import collections, os, torch
from tuppence.training.determinism import compute_deterministically
torch.set_num_threads(1)
torch.manual_seed(0)
logits = torch.randn(256, 512)
outcomes = collections.Counter()
for _ in range(100):
    reader, writer = os.pipe()
    if os.fork() == 0:
        torch.set_num_threads(2)
        compute_deterministically()
        torch.empty(8192).bernoulli_(0.9)
        torch.bmm(torch.ones(16, 32, 16), torch.ones(16, 16, 32))
        torch.ones(256, 32).bfloat16() @ torch.ones(32, 512).bfloat16()
        torch.softmax(torch.ones(512, 32), dim=-1)
        os.write(writer, torch.logsumexp(logits, dim=-1).numpy().tobytes())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        outcomes[answer.read()] += 1
    os.wait()
print(len(outcomes))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks fresh processes")
def test_a_process_s_first_exponential_is_like_every_other() -> None:
    """Without `_settle_vector_mathematics`, in one of about 25 processes half of the sums have errors of 1e-5."""
    done = subprocess.run([sys.executable, "-c", FIRST_STEPS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_step_seeds_are_distinct_and_fit_torch() -> None:
    seeds = {step_seed(seed, step, rank) for seed in range(4) for step in range(500) for rank in range(4)}
    assert len(seeds) == 4 * 500 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    ones = sum(seed.bit_count() for seed in seeds) / len(seeds)
    assert 31 < ones < 32  # neighbours differ in half of their 63 bits


def test_seeds_of_usual_size_are_those_of_earlier_versions() -> None:
    # runs of earlier versions must continue to the same bits
    assert [step_seed(1, 0, 0), step_seed(2**23 - 1, 2**32 - 1, 255), step_seed(42, 1000, 3)] == [
        1843376036126940498,
        3811431516645549711,
        8719783003641136159,
    ]


@pytest.mark.parametrize(
    "large", [(1 + 2**24, 0, 0), (1, 2**32, 0), (1, 0, 256), (1, 0, 2**31), (2**31 - 1, 2**40, 999)]
)
def test_arguments_that_do_not_fit_into_64_bits_together_have_seeds_of_their_own(large: tuple[int, int, int]) -> None:
    seed, step, rank = large
    cut = seed % 2**24, step % 2**32, rank % 2**8
    neighbours = [cut, (1, 1, 0), (seed, step + 1, rank), (seed, step, rank + 1), (seed + 2**24, step, rank)]
    assert step_seed(*large) not in {step_seed(*other) for other in neighbours}
    assert 0 <= step_seed(*large) < 2**63


def test_strict_mode_ends_with_its_block() -> None:
    with ordered_kernels():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    with ordered_kernels(False):
        assert not torch.are_deterministic_algorithms_enabled()


def test_an_operation_without_an_ordered_version_is_named_with_a_setting_that_helps() -> None:
    with pytest.raises(InputError, match="put_") as caught, ordered_kernels():
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))
    assert "train.deterministic=false" in caught.value.hint
    assert not torch.are_deterministic_algorithms_enabled()

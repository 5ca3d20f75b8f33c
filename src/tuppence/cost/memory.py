"""Memory of a training step with AdamW, counted from the sizes of the model.

Covered: weights, gradients, AdamW's moments, the 16-bit copies of the weights under autocast, what each block keeps for
its backward pass, the logits that are in memory at a time. Not covered: workspaces of kernels and fragments, for which
`USABLE` leaves room. A test compares the kept activations with those that torch keeps. `benchmarks/plan.py --memory`
compares the sum with the peak of real steps on a CPU, which is up to 15 % higher. No peak was measured on a GPU. A
compiled step keeps less than this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GIB = 2**30
USABLE = 0.85
"""Share of a GPU's memory to plan for; the rest is for fragments, workspaces of kernels and other programs."""
MOST_SEQUENCES = 64
BYTES_OF_A_LOGIT = 12
"""The logit, the softmax and the gradient: 4 bytes each, or 2, 4 + 4 (its float32 copy) and 2 in 16 bits."""
GPU_LOGITS_OF_A_BYTE = 1 / 64
"""Logits in memory at a time for each byte of a GPU, as in `model.loss.allow_logits`."""
CPU_LOGITS = 2**25
"""Logits in memory at a time on a CPU, as in `model.loss`."""


@dataclass(frozen=True)
class ModelSize:
    """What a plan needs to know about a model; `tasks.planning.size_of` makes one from a `ModelConfig`.

    Attributes:
        parameters: a tied embedding counted once.
        flops_per_token: forward and backward, 6 N + 12 L d T.
    """

    name: str
    parameters: int
    flops_per_token: float
    n_layers: int
    n_heads: int
    d_model: int
    context_length: int
    vocab_size: int


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step.

    Attributes:
        state: weights, gradients and two moments in float32: 16 bytes a parameter.
        copies: of the weights, in 16 bits.
        activations: kept for the backward pass.
        logits: in memory at a time.
    """

    state: float
    copies: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return self.state + self.copies + self.activations + self.logits

    @property
    def gib(self) -> float:
        return self.total / GIB


def training_memory(
    size: ModelSize, sequences: int, *, sixteen_bits: bool = True, gpu_bytes: float | None = None
) -> Memory:
    """Bytes of one training step.

    Args:
        sequences: computed at once, each of the whole context.
        sixteen_bits: autocast to bf16 or fp16; else float32.
        gpu_bytes: memory of the GPU, which decides how many logits are in memory at a time; None for a CPU.
    """
    tokens = sequences * size.context_length
    most = CPU_LOGITS if gpu_bytes is None else GPU_LOGITS_OF_A_BYTE * gpu_bytes
    logits = min(tokens * size.vocab_size, max(most, size.vocab_size))
    return Memory(
        state=16.0 * size.parameters,
        copies=2.0 * size.parameters if sixteen_bits else 0.0,
        activations=tokens * activation_bytes(size, sixteen_bits=sixteen_bits),
        logits=logits * BYTES_OF_A_LOGIT,
    )


def activation_bytes(size: ModelSize, *, sixteen_bits: bool = True) -> float:
    """Bytes that one token keeps for the backward pass, in all blocks and the final norm.

    A block keeps, in widths of D: the inputs of both norms in float32 (2 x 4 bytes) and, in the precision of the matrix
    products (2 or 4 bytes): the inputs of the four matrices (1 + 1 + 1 + 4), queries, keys and values (3), and the
    input of the GELU (4). Attention also keeps one float32 number a head, and each norm two numbers.
    """
    each = 2 if sixteen_bits else 4
    norms = 2 * 4 * size.d_model + 4 * 4
    matrices = (1 + 1 + 1 + 4) * each * size.d_model
    attention = 3 * each * size.d_model + 4 * size.n_heads
    gelu = 4 * each * size.d_model
    # after the last block: the input of the final norm, and the gradient of the hidden state that the loss keeps
    last = 4 * size.d_model + 2 * 4 + each * size.d_model
    return size.n_layers * (norms + matrices + attention + gelu) + last


def most_sequences(size: ModelSize, device_gib: float, *, sixteen_bits: bool = True, is_cpu: bool = False) -> int:
    """The largest power of two of sequences that fit at once, up to 64; 0 if not even one fits."""
    room = USABLE * device_gib * GIB
    fitting, gpu_bytes = 0, None if is_cpu else device_gib * GIB
    for power in range(int(math.log2(MOST_SEQUENCES)) + 1):
        need = training_memory(size, 2**power, sixteen_bits=sixteen_bits, gpu_bytes=gpu_bytes)
        if need.total <= room:
            fitting = 2**power
    return fitting

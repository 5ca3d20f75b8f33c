"""The count of memory against what torch keeps, and against measured peaks of real steps."""

from __future__ import annotations

import pytest
import torch

from tuppence.cost.memory import GIB, USABLE, ModelSize, activation_bytes, most_sequences, training_memory
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.precision import autocast
from tuppence.tasks.planning import size_of


def kept_bytes(model: GPT, tokens: torch.Tensor, precision: str) -> int:
    """Bytes of the distinct tensors that the backward pass keeps, without the parameters."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), autocast("cpu", precision):
        loss = model.loss(tokens[:, :-1], tokens[:, 1:])
    assert loss.requires_grad
    parameters = {one.untyped_storage().data_ptr() for one in model.parameters()}
    return sum(size for pointer, size in kept.items() if pointer not in parameters)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_each_further_token_keeps_as_much_as_counted(precision: str) -> None:
    """The difference of two batch sizes: weights and the gradient of the head are kept once."""
    config = ModelConfig(n_layers=3, n_heads=4, d_model=128, context_length=64, vocab_size=97)
    model = GPT(config)
    small, large = (torch.randint(0, 97, (count, 65)) for count in (2, 10))
    more = kept_bytes(model, large, precision) - kept_bytes(model, small, precision)
    counted = activation_bytes(size_of(config), sixteen_bits=precision == "bf16")
    assert more / (8 * 64) == pytest.approx(counted, rel=0.02)


MEASURED = [
    # preset, sequences, 16 bits, peak bytes of resident memory that two steps added: python benchmarks/plan.py --memory
    ("nano", 32, True, 596_373_504),
    ("nano", 32, False, 758_153_216),
    ("tiny", 16, True, 1_045_676_032),
    ("tiny", 8, False, 803_299_328),
    ("small", 8, True, 1_807_859_712),
    ("small", 4, False, 1_741_258_752),
]


@pytest.mark.parametrize(("preset", "sequences", "sixteen_bits", "peak"), MEASURED)
def test_measured_peaks_fit_into_what_is_planned_for(
    preset: str, sequences: int, sixteen_bits: bool, peak: int
) -> None:
    counted = training_memory(size_of(preset), sequences, sixteen_bits=sixteen_bits).total
    assert 0.85 <= counted / peak <= 1.05
    assert peak <= counted / USABLE


def test_the_state_of_adamw_is_16_bytes_a_parameter() -> None:
    size = size_of("gpt2-124m")
    assert training_memory(size, 1).state == 16 * 124_439_808


def gpt2(name: str) -> ModelSize:
    return size_of(f"gpt2-{name}")


def test_more_memory_fits_more_sequences_and_larger_models_fewer() -> None:
    fits = {name: [most_sequences(gpt2(name), gib) for gib in (14.5, 22.0, 44.3, 79.1)] for name in ("124m", "774m")}
    assert fits["124m"] == sorted(fits["124m"])
    assert all(few <= many for few, many in zip(fits["774m"], fits["124m"], strict=True))
    assert most_sequences(gpt2("1558m"), 22.0) == 0
    assert most_sequences(gpt2("1558m"), 79.1) >= 4


def test_what_is_said_to_fit_leaves_room() -> None:
    for name in PRESETS:
        count = most_sequences(size_of(name), 44.3)
        assert count > 0
        assert training_memory(size_of(name), count, gpu_bytes=44.3 * GIB).gib <= USABLE * 44.3


def test_published_batches_fit() -> None:
    """nanoGPT trains gpt2-124m with 12 sequences at once on 40 GB, llm.c with 64 on 80 GB."""
    assert most_sequences(gpt2("124m"), 39.4) >= 12
    assert most_sequences(gpt2("124m"), 79.1) >= 64

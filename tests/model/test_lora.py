"""LoRA compared with its equation; test_adapters compares it with PEFT."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.lora import (
    TARGETS,
    LoRA,
    LoRALinear,
    add_lora,
    frozen_copy,
    lora_layers,
    merge_lora,
    merged_state,
    unmerge_lora,
)

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9]])


def adapted(model: GPT, lora: LoRA) -> GPT:
    add_lora(model, lora)
    with torch.no_grad():
        for _, layer in lora_layers(model):
            layer.lora_B.normal_(std=0.3)
    return model


def test_a_fresh_adapter_changes_nothing(lively: Callable[..., GPT], small_config: ModelConfig) -> None:
    model = lively(small_config)
    before = model(TOKENS)
    add_lora(model, LoRA(rank=4))
    assert torch.equal(model(TOKENS), before)


def test_a_layer_computes_the_equation_with_alpha_over_rank() -> None:
    torch.manual_seed(0)
    base = torch.nn.Linear(6, 5)
    weight, bias = base.weight.clone(), base.bias.clone()
    layer = LoRALinear(base, LoRA(rank=3, alpha=12.0))
    with torch.no_grad():
        layer.lora_B.normal_()
    x = torch.randn(2, 4, 6)
    expected = x @ weight.T + bias + 12.0 / 3 * (x @ layer.lora_A.T @ layer.lora_B.T)
    torch.testing.assert_close(layer(x), expected)


def test_merging_keeps_the_logits_and_unmerging_restores_the_bits(
    lively: Callable[..., GPT], small_config: ModelConfig
) -> None:
    model = adapted(lively(small_config), LoRA(rank=4))
    logits = model(TOKENS)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    merge_lora(model)
    torch.testing.assert_close(model(TOKENS), logits, rtol=1e-4, atol=1e-4)
    merge_lora(model)  # a second time does nothing
    torch.testing.assert_close(model(TOKENS), logits, rtol=1e-4, atol=1e-4)
    unmerge_lora(model)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(model(TOKENS), logits)


def test_the_merged_state_is_a_plain_model_and_the_adapter_is_unchanged(
    lively: Callable[..., GPT], small_config: ModelConfig
) -> None:
    model = adapted(lively(small_config), LoRA(rank=4, targets=("attention.qkv", "mlp.contract")))
    logits = model(TOKENS)
    plain = GPT(small_config).eval()
    plain.load_state_dict(merged_state(model))
    torch.testing.assert_close(plain(TOKENS), logits, rtol=1e-4, atol=1e-4)
    assert torch.equal(model(TOKENS), logits)


def test_only_the_adapter_is_trained_and_gets_gradients(lively: Callable[..., GPT], small_config: ModelConfig) -> None:
    model = adapted(lively(small_config), LoRA(rank=2))
    model.loss(TOKENS, TOKENS).backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {
        f"blocks.{block}.{target}.lora_{part}" for block in range(2) for target in TARGETS for part in "AB"
    }
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.any())) == (name in trained), name


@pytest.mark.parametrize("shared", [False, True])
def test_a_frozen_copy_stays_the_model_without_the_adapter_that_is_trained(
    lively: Callable[..., GPT], small_config: ModelConfig, shared: bool
) -> None:
    model = lively(small_config)
    before = model(TOKENS)
    copy = frozen_copy(model, shared=shared)
    adapted(model, LoRA(rank=2))
    merge_lora(model)
    unmerge_lora(model)
    assert torch.equal(copy(TOKENS), before)
    assert not torch.equal(model(TOKENS), before)
    own = {parameter.data_ptr() for parameter in model.parameters()}
    assert all((parameter.data_ptr() in own) == shared for parameter in copy.parameters())


def test_dropout_applies_to_the_correction_only() -> None:
    torch.manual_seed(0)
    layer = LoRALinear(torch.nn.Linear(64, 8), LoRA(rank=2, dropout=0.5))
    x = torch.randn(3, 64)
    base = torch.nn.functional.linear(x, layer.weight, layer.bias)
    assert torch.equal(layer.train()(x), base)  # B is zero: what is dropped does not matter
    with torch.no_grad():
        layer.lora_B.normal_()
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"alpha": 0.0}, {"dropout": 1.0}, {"targets": ("mlp",)}, {"targets": ()}]
)
def test_an_invalid_shape_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        LoRA(**wrong)  # type: ignore[arg-type]


def test_a_second_adapter_is_refused(lively: Callable[..., GPT], small_config: ModelConfig) -> None:
    model = lively(small_config)
    add_lora(model, LoRA())
    with pytest.raises(InputError, match="already"):
        add_lora(model, LoRA())

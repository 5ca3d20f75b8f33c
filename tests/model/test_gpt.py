from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT


def tokens(config: ModelConfig, batch: int = 2, length: int = 9, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, config.vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


def test_the_loss_of_an_untrained_model_is_the_logarithm_of_the_vocabulary_size() -> None:
    config = ModelConfig(n_layers=3, n_heads=4, d_model=64, context_length=64, vocab_size=1000)
    torch.manual_seed(0)
    model = GPT(config)
    inputs_BT, targets_BT = tokens(config, 8, 64), tokens(config, 8, 64, seed=1)
    assert model.loss(inputs_BT, targets_BT).item() / targets_BT.numel() == pytest.approx(math.log(1000), rel=0.01)


def test_initial_weights_have_the_spread_gpt2_gave_them() -> None:
    config = ModelConfig(n_layers=8, n_heads=4, d_model=128, context_length=64, vocab_size=1000)
    torch.manual_seed(0)
    model = GPT(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            residual = name.endswith(("attention.projection.weight", "mlp.contract.weight"))
            wanted = 0.02 / math.sqrt(2 * 8) if residual else 0.02
            assert parameter.std().item() == pytest.approx(wanted, rel=0.03), name
            assert parameter.mean().item() == pytest.approx(0, abs=5e-4), name


def test_initial_weights_follow_torchs_seed() -> None:
    config = ModelConfig(n_layers=1, n_heads=1, d_model=8, context_length=8, vocab_size=11)
    models = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        models.append(torch.cat([parameter.flatten() for parameter in GPT(config).parameters()]))
    assert torch.equal(models[0], models[1])
    assert not torch.equal(models[0], models[2])


def test_parameters_have_the_names_others_rely_on(small_config: ModelConfig) -> None:
    block = {
        f"{module}.{kind}"
        for module in (
            "attention_norm",
            "attention.qkv",
            "attention.projection",
            "mlp_norm",
            "mlp.expand",
            "mlp.contract",
        )
        for kind in ("weight", "bias")
    }
    names = {f"blocks.{layer}.{name}" for layer in range(2) for name in block}
    names |= {"token_embedding.weight", "position_embedding.weight", "final_norm.weight", "final_norm.bias"}
    assert set(GPT(small_config).state_dict()) == names


@pytest.mark.parametrize("length", [1, 9, 32])
def test_both_kinds_of_attention_give_the_same_logits(
    length: int, small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    explicit = lively(small_config, attention="explicit")
    fused = lively(small_config, attention="sdpa")
    inputs_BT = tokens(small_config, 2, length)
    torch.testing.assert_close(explicit(inputs_BT), fused(inputs_BT), rtol=1e-4, atol=1e-4)


def test_the_loss_is_the_summed_cross_entropy_of_the_logits(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config)
    inputs_BT, targets_BT = tokens(small_config), tokens(small_config, seed=1)
    targets_BT[0, :4] = -100
    expected = torch.nn.functional.cross_entropy(
        model(inputs_BT).flatten(0, 1), targets_BT.flatten(), reduction="sum", ignore_index=-100
    )
    torch.testing.assert_close(model.loss(inputs_BT, targets_BT), expected)


def test_the_tied_embedding_gets_the_gradient_of_both_its_uses(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config)
    inputs_BT, targets_BT = tokens(small_config), tokens(small_config, seed=1)
    model.loss(inputs_BT, targets_BT).backward()
    got = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(inputs_BT).flatten(0, 1), targets_BT.flatten(), reduction="sum").backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(got[name], parameter.grad, rtol=1e-3, atol=1e-3, msg=name)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_activation_checkpointing_changes_neither_loss_nor_gradients(
    dropout: float, small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    config = small_config.model_copy(update={"dropout": dropout})
    inputs_BT, targets_BT = tokens(config), tokens(config, seed=1)
    results = []
    for checkpointing in (False, True):
        model = lively(config, activation_checkpointing=checkpointing).train()
        torch.manual_seed(7)
        loss = model.loss(inputs_BT, targets_BT)
        loss.backward()
        results.append((loss.detach(), [parameter.grad for parameter in model.parameters()]))
    torch.testing.assert_close(results[0], results[1])


def test_activation_checkpointing_keeps_less_for_the_backward_pass() -> None:
    config = ModelConfig(n_layers=4, n_heads=2, d_model=32, context_length=32, vocab_size=11)
    kept = []
    for checkpointing in (False, True):
        model = GPT(config, activation_checkpointing=checkpointing)
        sizes = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal sizes
            sizes += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model.loss(tokens(config, 2, 32), tokens(config, 2, 32))
        kept.append(sizes)
    assert kept[1] < kept[0] / 2


def test_dropout_acts_in_training_and_only_there(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    model = lively(small_config.model_copy(update={"dropout": 0.5}))
    inputs_BT = tokens(small_config)
    assert torch.equal(model(inputs_BT), model(inputs_BT))
    model.train()
    assert not torch.equal(model(inputs_BT), model(inputs_BT))


@pytest.mark.slow
def test_the_loss_compiles_into_one_graph(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    model = lively(small_config.model_copy(update={"n_layers": 1}))  # a block more is seconds more to compile
    inputs_BT, targets_BT = tokens(small_config), tokens(small_config, seed=1)
    compiled = torch.compile(model.loss, fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16):
        loss = compiled(inputs_BT, targets_BT)
    loss.backward()
    got = model.blocks[0].mlp.expand.weight.grad.clone()
    model.zero_grad()
    expected = model.loss(inputs_BT, targets_BT)
    expected.backward()
    wanted = model.blocks[0].mlp.expand.weight.grad
    assert loss.item() == pytest.approx(expected.item(), rel=0.02)
    assert (got - wanted).norm() / wanted.norm() < 0.1

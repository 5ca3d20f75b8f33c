from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.tasks.ppo.conftest import stir

from tuppence.model.lora import lora_layers
from tuppence.tasks.ppo.policy import PolicyWithValue, merged, token_statistics

Policy = Callable[..., PolicyWithValue]
TOKENS = torch.randint(0, 270, (3, 7), generator=torch.Generator().manual_seed(0))
TARGETS = torch.where(torch.arange(7) > 2, TOKENS.roll(-1, 1), -100)


def test_log_probabilities_and_entropies_are_trl_s(policy: Policy) -> None:
    utils = pytest.importorskip("trl.trainer.utils")
    gpt = policy(full=True).gpt
    found = token_statistics(gpt, TOKENS, TARGETS)
    logits = gpt(TOKENS)[:, 3:]
    assert torch.allclose(
        found.log_probabilities, utils.selective_log_softmax(logits, TARGETS[:, 3:]).flatten(), atol=1e-5
    )
    assert torch.allclose(found.entropies, utils.entropy_from_logits(logits).flatten(), atol=1e-5)


def test_the_value_starts_at_zero_and_its_gradient_reaches_the_transformer(policy: Policy) -> None:
    model = policy(full=True)
    _, values = model(TOKENS, TARGETS)
    assert values.shape == (12,)
    assert not values.any()
    stir(model.value)
    model(TOKENS, TARGETS)[1].sum().backward()
    assert model.gpt.blocks[0].mlp.expand.weight.grad is not None


def test_merged_restores_every_bit_after_an_interruption_too(policy: Policy) -> None:
    model = policy()
    stir(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plain = model.gpt(TOKENS)
    with pytest.raises(KeyboardInterrupt), merged(model.gpt):
        assert torch.allclose(model.gpt(TOKENS), plain, atol=1e-4)
        assert not torch.equal(
            next(layer for _, layer in lora_layers(model)).weight, before["gpt.blocks.0.attention.qkv.weight"]
        )
        raise KeyboardInterrupt
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(model.gpt(TOKENS), plain)


def test_statistics_are_computed_in_float32_under_autocast(policy: Policy) -> None:
    gpt = policy(full=True).gpt
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = token_statistics(gpt, TOKENS, TARGETS)
    assert found.log_probabilities.dtype == torch.float32
    exact = token_statistics(gpt, TOKENS, TARGETS)
    assert torch.allclose(found.log_probabilities, exact.log_probabilities, atol=0.15)
    # probabilities that were rounded to bfloat16 would be multiples of 2^-7 at this size
    assert len(set((found.log_probabilities * 128 % 1).tolist())) > 6

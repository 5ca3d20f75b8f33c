"""Models without a part, and attention maps."""

from __future__ import annotations

import itertools

import pytest
import torch

import tuppence as tp
from tuppence.core.errors import InputError
from tuppence.course.models import PARTS
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.tokenizer import Tokenizer

TOKENS = torch.tensor([[5, 9, 2, 7, 1, 8], [3, 3, 4, 0, 6, 2]])


def ablated(config: ModelConfig, *parts: str) -> GPT:
    torch.manual_seed(0)
    return tp.ablated(config, *parts).eval()


def test_without_any_part_left_out_it_is_the_model_itself(config: ModelConfig, model: GPT) -> None:
    torch.testing.assert_close(ablated(config)(TOKENS), model(TOKENS))


def test_all_other_parts_start_as_in_the_whole_model(config: ModelConfig, model: GPT) -> None:
    whole = model.state_dict()
    for part in PARTS:
        for name, tensor in ablated(config, part).state_dict().items():
            assert torch.equal(tensor, whole[name]), (part, name)


def test_without_the_mask_a_token_sees_later_ones(config: ModelConfig) -> None:
    later = TOKENS.clone()
    later[:, -1] += 1
    for parts, sees in (((), False), (("mask",), True), (("mask", "residual"), True)):
        model = ablated(config, *parts)
        assert torch.equal(model(TOKENS)[:, 0], model(later)[:, 0]) is not sees


def test_without_positions_the_past_is_a_set(config: ModelConfig) -> None:
    swapped = TOKENS[:, [1, 0, 2, 3, 4, 5]]
    for parts, same in (((), False), (("positions",), True)):
        model = ablated(config.model_copy(update={"n_layers": 1}), *parts)
        assert torch.allclose(model(TOKENS)[:, -1], model(swapped)[:, -1], atol=1e-6) is same


def test_without_norm_the_stream_scales_with_the_embeddings(config: ModelConfig) -> None:
    model = ablated(config.model_copy(update={"n_layers": 1}), "norm", "mlp", "positions")
    before = model.hidden(TOKENS)
    with torch.no_grad():
        model.blocks[0].attention.qkv.weight[:32] = 0  # uniform attention: linear in its input
        model.blocks[0].attention.qkv.bias.zero_()
        before = model.hidden(TOKENS)
        model.token_embedding.weight *= 3
    torch.testing.assert_close(model.hidden(TOKENS), 3 * before)


def test_without_residual_a_dead_branch_blocks_everything(config: ModelConfig) -> None:
    for parts, dead in (((), False), (("residual",), True), (("residual", "mlp"), True)):
        model = ablated(config, *parts)
        with torch.no_grad():
            model.blocks[0].attention.projection.weight.zero_()
        hidden = model.hidden(TOKENS)
        assert torch.allclose(hidden[0, 0], hidden[1, 0], atol=1e-6) is dead


def test_without_mlp_a_block_is_its_attention(config: ModelConfig) -> None:
    model = ablated(config, "mlp")
    block = model.blocks[0]
    x = torch.randn(1, 4, config.d_model)
    torch.testing.assert_close(block(x), x + block.attention(block.attention_norm(x)))


@pytest.mark.parametrize("parts", [(part,) for part in PARTS] + list(itertools.combinations(PARTS, 2)))
def test_every_combination_trains_and_writes(parts: tuple[str, ...], config: ModelConfig, tokenizer: Tokenizer) -> None:
    model = ablated(config, *parts)
    loss = model.loss(TOKENS[:, :-1], TOKENS[:, 1:])
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert tp.write(model, tokenizer, "One", max_tokens=3).startswith("One")


def test_an_unknown_part_is_refused(config: ModelConfig) -> None:
    with pytest.raises(InputError, match="no part 'dropout'"):
        tp.ablated(config, "dropout")


def test_attention_maps_reproduce_the_output_of_every_layer(model: GPT) -> None:
    maps = tp.attention_maps(model, TOKENS)
    assert maps.shape == (2, 2, 2, 6, 6)
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(2, 2, 2, 6))
    assert not maps.triu(1).any()
    inputs: list[torch.Tensor] = []
    layer = model.blocks[1].attention
    hook = layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    model.hidden(TOKENS)
    hook.remove()
    values = layer.heads(inputs[0])[2]
    torch.testing.assert_close(layer.projection((maps[1] @ values).transpose(1, 2).flatten(2)), layer(inputs[0]))


def test_attention_maps_leave_the_model_as_it_was(model: GPT) -> None:
    model.train()
    tp.attention_maps(model, TOKENS[0])
    assert model.training
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_attention_maps_of_a_model_without_mask_look_ahead(config: ModelConfig) -> None:
    maps = tp.attention_maps(ablated(config, "mask"), TOKENS)
    assert (maps.triu(1).sum(dim=-1)[..., 0] > 0).all()

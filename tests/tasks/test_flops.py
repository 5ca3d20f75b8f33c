"""The operations of finetuning, compared with the count of pretraining and with torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.lora import LoRA, add_lora
from tuppence.tasks.flops import finetuning_flops, forward_flops

SIZES = ModelConfig(n_layers=3, n_heads=4, d_model=64, context_length=32, vocab_size=101)


def test_rows_as_long_as_the_context_cost_as_much_as_pretraining() -> None:
    assert finetuning_flops(SIZES, [32], logits_share=1.0) == pytest.approx(SIZES.flops_per_token())
    assert forward_flops(SIZES, [32], logits_share=1.0) == pytest.approx(SIZES.flops_per_token() / 3)


@pytest.mark.parametrize("adapter", [False, True])
def test_the_count_agrees_with_torch_s_without_embedding_lookups(adapter: bool) -> None:
    torch.manual_seed(0)
    model, length = GPT(SIZES), 24
    if adapter:
        add_lora(model, LoRA(rank=1))
    tokens_BT = torch.randint(0, 101, (2, length))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.loss(tokens_BT, tokens_BT).backward()
    counted = counter.get_total_flops() / tokens_BT.numel()
    said = finetuning_flops(SIZES, [length], logits_share=1.0, frozen=adapter)
    assert said == pytest.approx(counted, rel=0.05)


def test_a_head_alone_has_no_backward_pass_and_one_block_a_part_of_it() -> None:
    forward = forward_flops(SIZES, [10], logits_share=0.0)
    assert finetuning_flops(SIZES, [10], logits_share=0.0, depth=0.0) == forward
    assert finetuning_flops(SIZES, [10], logits_share=0.0, depth=1 / 3) == pytest.approx(forward * (1 + 2 / 3))

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tuppence.model.cache import KVCache
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT

CPU = torch.device("cpu")


def ids(config: ModelConfig, length: int, seed: int = 0) -> list[int]:
    return torch.randint(0, config.vocab_size, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize("attention", ["sdpa", "explicit"])
@pytest.mark.parametrize("pieces", [[20], [1] * 20, [5, 1, 1, 13], [19, 1], [1, 19]])
def test_logits_read_in_pieces_equal_logits_read_at_once(
    pieces: list[int], attention: str, small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config, attention=attention).double()
    tokens_BT = torch.tensor([ids(small_config, 20, seed) for seed in range(3)])
    cache = KVCache(small_config, [pieces[0]] * 3, 20, torch.float64, CPU)
    with torch.no_grad():
        cached = torch.cat([model(piece, cache) for piece in tokens_BT.split(pieces, dim=1)], dim=1)
        torch.testing.assert_close(cached, model(tokens_BT), rtol=1e-10, atol=1e-10)
    assert cache.is_full


@pytest.mark.parametrize("attention", ["sdpa", "explicit"])
def test_padded_prompts_get_the_logits_they_get_alone(
    attention: str, small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config, attention=attention).double()
    lengths = [7, 1, 4]
    rows = [ids(small_config, length + 5, seed) for seed, length in enumerate(lengths)]
    cache = KVCache(small_config, lengths, 12, torch.float64, CPU)
    cache.keys_LBHSK.fill_(torch.nan)  # what was never written must never be read
    cache.values_LBHSK.fill_(torch.nan)
    with torch.no_grad():
        padded = [[0] * (7 - length) + row[:length] for row, length in zip(rows, lengths, strict=True)]
        logits = [model(torch.tensor(padded), cache)[:, -1]]
        logits += [
            model(torch.tensor([[row[length + step]] for row, length in zip(rows, lengths, strict=True)]), cache)[:, -1]
            for step in range(5)
        ]
        for row, length in enumerate(lengths):
            alone = model(torch.tensor([rows[row]]))[0, length - 1 :]
            together = torch.stack([step[row] for step in logits])
            torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-10)


def test_positions_count_real_tokens_only(small_config: ModelConfig) -> None:
    cache = KVCache(small_config, [3, 1], 5, torch.float32, CPU)
    cache.advance(3)
    assert cache.positions_BT.tolist() == [[0, 1, 2], [0, 0, 0]]
    cache.advance(1)
    assert cache.positions_BT.tolist() == [[3], [1]]


def test_equal_lengths_need_no_mask(small_config: ModelConfig) -> None:
    cache = KVCache(small_config, [3, 3], 5, torch.float32, CPU)
    cache.advance(3)
    assert cache.mask is None
    assert cache.is_causal
    cache.advance(1)
    assert cache.mask is None
    assert not cache.is_causal


def test_memory_is_allocated_once(small_config: ModelConfig) -> None:
    cache = KVCache(small_config, [3], 8, torch.bfloat16, CPU)
    before = cache.keys_LBHSK.data_ptr(), cache.values_LBHSK.data_ptr()
    for _ in range(8):
        cache.advance(1)
        piece = torch.ones(1, 2, 1, 8, dtype=torch.bfloat16)
        keys, values = cache.extend(1, piece, piece)
    assert (cache.keys_LBHSK.data_ptr(), cache.values_LBHSK.data_ptr()) == before
    assert keys.shape == values.shape == (1, 2, 8, 8)
    assert keys.data_ptr() == cache.keys_LBHSK[1].data_ptr()
    assert cache.keys_LBHSK.numel() == 2 * 1 * 2 * 8 * 8

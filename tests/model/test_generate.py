from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.model.gpt2 import copy_of, greedy_ids

from tuppence.core.errors import InputError
from tuppence.model.config import ModelConfig
from tuppence.model.generate import Decoder, Generation, generate
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling

LENGTHS = [5, 1, 9, 3]
STOP = set(range(0, 61, 12))


def prompts(config: ModelConfig, lengths: list[int] | None = None) -> list[list[int]]:
    generator = torch.Generator().manual_seed(3)
    return [
        torch.randint(0, config.vocab_size, (length,), generator=generator).tolist() for length in lengths or LENGTHS
    ]


def without_cache(model: GPT, prompt: list[int], count: int) -> list[int]:
    """Greedy generation by the definition: the whole sequence is read again for every token."""
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=61),
        ModelConfig(n_layers=3, n_heads=5, d_model=35, context_length=29, vocab_size=101),
        ModelConfig(n_layers=1, n_heads=1, d_model=7, context_length=40, vocab_size=13),
    ],
)
def test_greedy_ids_equal_transformers_token_for_token(
    config: ModelConfig, transformers_gpt2: Callable[..., Any]
) -> None:
    theirs = transformers_gpt2(config)
    results = generate(copy_of(theirs, config), prompts(config), Sampling(max_tokens=20, temperature=0))
    for prompt, result in zip(prompts(config), results, strict=True):
        expected = greedy_ids(theirs, prompt, 20)
        assert result == Generation(expected, "length")
        assert len(set(expected)) > 2  # a model that always says the same would prove nothing


def test_cached_generation_equals_generation_without_a_cache(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config)
    for prompt, result in zip(
        prompts(small_config),
        generate(model, prompts(small_config), Sampling(max_tokens=20, temperature=0)),
        strict=True,
    ):
        assert result.ids == without_cache(model, prompt, 20)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {}, {"temperature": 1.7, "top_k": 9, "top_p": 0.8}])
def test_a_prompt_gets_in_a_batch_what_it_gets_alone(
    settings: dict[str, Any], small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config).double()
    together = generate(model, prompts(small_config), Sampling(max_tokens=60, seed=5, **settings), stop_ids=STOP)
    alone = [
        generate(model, [prompt], Sampling(max_tokens=60, seed=5, **settings), stop_ids=STOP)[0]
        for prompt in prompts(small_config)
    ]
    assert together == alone
    assert len({len(result.ids) for result in together}) > 1  # some stopped early, so that rows left the batch


def test_seeds_fix_what_is_drawn_and_torchs_generator_is_left_alone(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model, prompt = lively(small_config), prompts(small_config)[0]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (generate(model, [prompt], Sampling(max_tokens=15, seed=seed))[0].ids for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert (
        generate(model, [prompt], Sampling(max_tokens=15))[0].ids
        != generate(model, [prompt], Sampling(max_tokens=15))[0].ids
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_every_prompt_can_have_a_seed_of_its_own(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    model, prompt = lively(small_config), prompts(small_config)[0]
    samples = generate(model, [prompt] * 3, [Sampling(max_tokens=15, seed=seed) for seed in (4, 5, 4)])
    assert samples[0] == samples[2] == generate(model, [prompt], Sampling(max_tokens=15, seed=4))[0]
    assert samples[0] != samples[1]
    with pytest.raises(InputError, match="2 samplings for 3 prompts"):
        generate(model, [prompt] * 3, [Sampling(), Sampling()])


def test_a_stop_id_ends_a_sequence_and_is_not_part_of_it(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    model, prompt = lively(small_config), prompts(small_config)[0]
    ids = generate(model, [prompt], Sampling(max_tokens=20, temperature=0))[0].ids
    stop = ids[6]
    expected = ids[: ids.index(stop)]
    result = generate(model, [prompt], Sampling(max_tokens=20, temperature=0), stop_ids={stop})[0]
    assert result == Generation(expected, "stop")


def test_tokens_stream_one_by_one_in_order(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    model = lively(small_config)
    results = generate(model, prompts(small_config), Sampling(max_tokens=6, seed=1))
    seen: list[list[int]] = [[] for _ in LENGTHS]
    for count, (index, token) in enumerate(
        Decoder(model, prompts(small_config), Sampling(max_tokens=6, seed=1)), start=1
    ):
        seen[index].append(token)
        assert count == sum(map(len, seen))
    assert seen == [result.ids for result in results]
    first = next(iter(Decoder(model, prompts(small_config), Sampling(max_tokens=10**9, temperature=0))))
    assert first[0] == 0  # it did not wait for the rest


def test_one_sequence_can_be_ended_and_the_others_continue(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config)
    whole = generate(model, prompts(small_config), Sampling(max_tokens=8, seed=1))
    decoder = Decoder(model, prompts(small_config), Sampling(max_tokens=8, seed=1))
    counts = [0] * len(LENGTHS)
    for index, _ in decoder:
        counts[index] += 1
        if index == 2 and counts[2] == 3:
            decoder.finish(index)
    cut = decoder.generations()
    assert cut[2] == Generation(whole[2].ids[:3], "stop")
    assert [cut[i] for i in (0, 1, 3)] == [whole[i] for i in (0, 1, 3)]


def test_every_prompt_of_a_batch_can_be_sampled_in_its_own_way(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config).double()
    samplings = [
        Sampling(temperature=0, max_tokens=12),
        Sampling(temperature=1.7, top_k=9, max_tokens=40, seed=3),
        Sampling(temperature=0, max_tokens=0),
        Sampling(top_p=0.8, max_tokens=5, seed=3),
    ]
    together = generate(model, prompts(small_config), samplings, stop_ids=STOP)
    alone = [
        generate(model, [prompt], sampling, stop_ids=STOP)[0]
        for prompt, sampling in zip(prompts(small_config), samplings, strict=True)
    ]
    assert together == alone


def test_generation_continues_beyond_the_context_on_the_newest_half(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model, prompt = lively(small_config), prompts(small_config)[0]
    result = generate(model, [prompt], Sampling(max_tokens=100, temperature=0))[0]
    ids, window = list(prompt), list(prompt)
    while len(ids) < len(prompt) + 100:
        if len(window) > 32:
            window = window[-max(16, 32 - (len(prompt) + 100 - len(ids))) :]
        token = without_cache(model, window, 1)[0]
        ids.append(token)
        window.append(token)
    assert result == Generation(ids[len(prompt) :], "length")


@pytest.mark.parametrize(("length", "max_tokens", "seen"), [(32, 1, 32), (33, 1, 31), (33, 5, 27), (90, 40, 16)])
def test_the_newest_part_of_a_prompt_that_is_too_long_is_read(
    length: int, max_tokens: int, seen: int, small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model, prompt = lively(small_config), prompts(small_config, [length])[0]
    first = generate(model, [prompt], Sampling(max_tokens=max_tokens, temperature=0))[0].ids[0]
    assert first == without_cache(model, prompt[-seen:], 1)[0]


def test_a_context_of_one_token_still_generates(lively: Callable[..., GPT]) -> None:
    model = lively(ModelConfig(n_layers=1, n_heads=1, d_model=4, context_length=1, vocab_size=11))
    assert len(generate(model, [[1, 2, 3]], Sampling(max_tokens=4, temperature=0))[0].ids) == 4


def test_ids_beyond_the_tokenizers_vocabulary_are_never_drawn(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    result = generate(
        lively(small_config), prompts(small_config), Sampling(max_tokens=50, temperature=50.0, seed=0), vocab_size=10
    )
    assert {token for one in result for token in one.ids} == set(range(10))


def test_dropout_is_off_in_generation_and_the_training_mode_is_restored(
    small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    model = lively(small_config.model_copy(update={"dropout": 0.5})).train()
    runs = [generate(model, prompts(small_config), Sampling(max_tokens=10, temperature=0)) for _ in range(2)]
    assert runs[0] == runs[1]
    assert model.training
    assert all(module.training for module in model.modules())


def test_bfloat16_models_generate(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    model = lively(small_config).to(torch.bfloat16)
    assert [len(result.ids) for result in generate(model, prompts(small_config), Sampling(max_tokens=40, seed=0))] == [
        40
    ] * 4


def test_zero_tokens_asked_generate_nothing(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    model = lively(small_config)
    assert generate(model, [], Sampling(max_tokens=5)) == []
    assert generate(model, [[1]], Sampling(max_tokens=0)) == [Generation([], "length")]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([[1], []], "prompt 1 has no tokens"),
        ([[61]], "prompt 0 holds token 61"),
        ([[-1]], "prompt 0 holds token -1"),
    ],
)
def test_impossible_requests_are_refused(
    asked: list[list[int]], message: str, small_config: ModelConfig, lively: Callable[..., GPT]
) -> None:
    with pytest.raises(InputError, match=message):
        generate(lively(small_config), asked, Sampling(max_tokens=3))

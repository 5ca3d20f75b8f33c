from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.model.gpt2 import copy_of, greedy_ids
from torch import Tensor, nn

from tuppence.model.cache import KVCache
from tuppence.model.config import ModelConfig
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.linear import Linear
from tuppence.model.native import build as native
from tuppence.model.native import decode_step
from tuppence.model.native.decode_step import DecodeStep, compiled_step
from tuppence.model.sampling import Sampling

CONFIGS = [
    ModelConfig(n_layers=2, n_heads=2, d_model=32, context_length=48, vocab_size=61),
    ModelConfig(n_layers=2, n_heads=3, d_model=96, context_length=29, vocab_size=1031, layer_norm_epsilon=1e-3),
    ModelConfig(n_layers=3, n_heads=2, d_model=128, context_length=600, vocab_size=257),
    ModelConfig(n_layers=2, n_heads=1, d_model=80, context_length=40, vocab_size=97),
    ModelConfig(n_layers=3, n_heads=5, d_model=35, context_length=29, vocab_size=101),
    ModelConfig(n_layers=1, n_heads=1, d_model=7, context_length=40, vocab_size=13),
]
"""Heads 16, 32, 64, 80, 7 and 7 wide; vocabularies and widths that no vector divides."""

each_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.n_heads}x{config.head_width}")


@pytest.fixture(scope="module")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def found(cache_home: str, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """The compiled library, built once for this file; skipped where there is no compiler."""
    monkeypatch.setenv("XDG_CACHE_HOME", cache_home)
    monkeypatch.delenv("TUPPENCE_NATIVE", raising=False)
    library = native.library(build=True)
    if library is None:
        pytest.skip("no C++ compiler")
    return library


@pytest.fixture
def steps(found: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens that went through the compiled step."""
    seen: list[int] = []
    call = DecodeStep.__call__

    def counted(self: DecodeStep, token: int) -> Tensor:
        seen.append(token)
        return call(self, token)

    monkeypatch.setattr(DecodeStep, "__call__", counted)
    return seen


def prompts(config: ModelConfig, count: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(1, config.context_length, (count,), generator=generator).tolist()
    return [torch.randint(0, config.vocab_size, (length,), generator=generator).tolist() for length in lengths]


def read(model: GPT, prompt: list[int], capacity: int) -> KVCache:
    """A cache that holds the prompt."""
    weight = model.token_embedding.weight
    cache = KVCache(model.config, [len(prompt)], capacity, weight.dtype, weight.device)
    with torch.inference_mode():
        model(torch.tensor([prompt]), cache)
    return cache


@each_config
def test_greedy_ids_equal_transformers_token_for_token(
    config: ModelConfig, transformers_gpt2: Callable[..., Any], steps: list[int]
) -> None:
    theirs = transformers_gpt2(config)
    model = copy_of(theirs, config)
    for prompt in prompts(config, 3):
        prompt = prompt[: config.context_length - 20]
        expected = greedy_ids(theirs, prompt, 20)
        assert generate(model, [prompt], Sampling(max_tokens=20, temperature=0))[0].ids == expected
        assert len(set(expected)) > 1
    assert len(steps) == 3 * 19  # the first token comes from reading the prompt


@each_config
@pytest.mark.parametrize("settings", [{"temperature": 0}, {"seed": 5}, {"seed": 5, "temperature": 1.7, "top_p": 0.8}])
def test_float32_ids_equal_the_ordinary_path_also_beyond_the_context(
    config: ModelConfig,
    settings: dict[str, Any],
    lively: Callable[..., GPT],
    steps: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = lively(config, std=0.1)
    arguments: dict[str, Any] = {"stop_ids": {3}, "vocab_size": config.vocab_size - 2}
    sampling = Sampling(max_tokens=60, **settings)
    compiled = [generate(model, [prompt], sampling, **arguments) for prompt in prompts(config, 8)]
    used = len(steps)
    monkeypatch.setenv("TUPPENCE_NATIVE", "0")
    assert [generate(model, [prompt], sampling, **arguments) for prompt in prompts(config, 8)] == compiled
    assert used > 100
    assert len(steps) == used


@each_config
def test_bfloat16_logits_are_the_ordinary_ones_up_to_rounding(
    config: ModelConfig, lively: Callable[..., GPT], found: ctypes.CDLL
) -> None:
    """At every token as near to the exact logits as the ordinary path, which adds in another order: on average within
    1 %, in fact. Where the ordinary path's choice is clear of its own rounding, the choice is the same."""
    model = lively(config, std=0.1).bfloat16()
    exact = GPT(config).eval().double()
    exact.load_state_dict(model.state_dict())
    compiled_error = ordinary_error = 0.0
    for prompt in prompts(config, 6):
        prompt, following = prompt[: config.context_length - 20], prompts(config, 1)[0][:20]
        ordinary, cache = read(model, prompt, config.context_length), read(model, prompt, config.context_length)
        step = DecodeStep(found, model, cache)
        with torch.inference_mode():
            for count, token in enumerate(following, start=1):
                ours_V = step(token)[0].double()
                torchs_V = model(torch.tensor([[token]]), ordinary)[0, -1].double()
                exact_V = exact(torch.tensor([prompt + following[:count]]))[0, -1]
                compiled_error += (ours_V - exact_V).abs().mean().item()
                ordinary_error += (torchs_V - exact_V).abs().mean().item()
                best, second = torchs_V.topk(2).values.tolist()
                if best - second > 4 * (torchs_V - exact_V).abs().max():
                    assert ours_V.argmax() == torchs_V.argmax()
        ours, torchs = (each.keys_LBHSK[..., : each.length, :] for each in (cache, ordinary))
        assert (ours - torchs).abs().max() < 0.02 * torchs.abs().max()
    assert compiled_error < 1.02 * ordinary_error


def test_the_number_of_threads_changes_nothing(lively: Callable[..., GPT], found: ctypes.CDLL) -> None:
    model = lively(CONFIGS[1])
    results = []
    for threads in (1, 2, 3, 7):
        step = DecodeStep(found, model, read(model, [1, 2, 3], 20), threads)
        results.append(torch.cat([step(token) for token in range(10)]))
    assert all(torch.equal(result, results[0]) for result in results)


def test_many_steps_with_more_threads_than_cores_end(lively: Callable[..., GPT], found: ctypes.CDLL) -> None:
    model = lively(CONFIGS[2])
    step = DecodeStep(found, model, read(model, [1], 600), threads=5)
    for token in range(100):
        assert torch.isfinite(step(token)).all()


def test_weights_changed_in_place_are_seen_and_replaced_ones_stay_alive(
    lively: Callable[..., GPT], found: ctypes.CDLL
) -> None:
    model = lively(CONFIGS[0])
    step = DecodeStep(found, model, read(model, [1, 2], 20))
    before = step(5)
    with torch.no_grad():
        model.blocks[0].mlp.expand.weight.mul_(-1)
    cache = read(model, [1, 2], 20)
    assert not torch.equal(DecodeStep(found, model, cache)(5), before)
    ordinary = model(torch.tensor([[1, 2, 5, 7]]))[:, -1]
    step = DecodeStep(found, model, read(model, [1, 2, 5], 20))
    model.double()  # gives every parameter new memory
    torch.testing.assert_close(step(7), ordinary.detach())


class Adapted(Linear):
    """Stands for whatever computes more than a matrix."""


def hooked(model: GPT) -> None:
    model.blocks[1].mlp.register_forward_hook(lambda *_: None)


def adapted(model: GPT) -> None:
    width = model.config.d_model
    model.blocks[1].attention.projection = Adapted(width, width)


def mixed(model: GPT) -> None:
    model.final_norm.double()


def explicit(model: GPT) -> None:
    model.blocks[0].attention.implementation = "explicit"


def half(model: GPT) -> None:
    model.half()


def wrapped(model: GPT) -> None:
    model.blocks[0].mlp = nn.Sequential(model.blocks[0].mlp)


@pytest.mark.parametrize("change", [hooked, adapted, mixed, explicit, half, wrapped])
def test_a_model_that_is_not_plain_takes_the_ordinary_path(
    change: Callable[[GPT], None], lively: Callable[..., GPT], found: ctypes.CDLL
) -> None:
    model = lively(CONFIGS[0])

    def step() -> DecodeStep | None:
        cache = KVCache(model.config, [1], 20, model.token_embedding.weight.dtype, torch.device("cpu"))
        return compiled_step(model, cache, 10)

    assert step() is not None
    change(model)
    assert step() is None


def test_several_sequences_and_mixed_precision_take_the_ordinary_path(
    lively: Callable[..., GPT], found: ctypes.CDLL
) -> None:
    model = lively(CONFIGS[0])
    cpu = torch.device("cpu")
    assert compiled_step(model, KVCache(model.config, [1, 1], 20, torch.float32, cpu), 10) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert compiled_step(model, KVCache(model.config, [1], 20, torch.float32, cpu), 10) is None


@pytest.mark.parametrize(
    ("preset_bytes", "tokens", "builds"), [(500e6, 100, True), (500e6, 10, False), (5e6, 500, False)]
)
def test_the_library_is_built_only_for_a_long_text_of_a_large_model(
    preset_bytes: float,
    tokens: int,
    builds: bool,
    lively: Callable[..., GPT],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(decode_step, "library", lambda build: asked.append(build))
    monkeypatch.setattr(decode_step, "_weight_bytes", lambda model: int(preset_bytes))
    generate(lively(CONFIGS[0]), [[1]], Sampling(max_tokens=tokens))
    assert asked[0] is builds

"""The step of fixed shapes generates the same tokens as the ordinary path. Capture needs a GPU: `make gpu-check`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tuppence.model import generate as generate_module
from tuppence.model import graph_step as graph_step_module
from tuppence.model import loss as loss_module
from tuppence.model.cache import KVCache
from tuppence.model.config import ModelConfig
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.graph_step import GraphStep, graph_step
from tuppence.model.sampling import Sampling

CONFIG = ModelConfig(n_layers=2, n_heads=2, d_model=32, context_length=40, vocab_size=61)
PROMPTS = [[1, 2, 3, 4, 5], [6], [7, 8, 9]]


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG).eval()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Makes generation use the step without capture; returns the tokens of its calls."""
    seen: list[list[int]] = []

    def quick(model: GPT, cache: KVCache, tokens: int) -> object:
        step = GraphStep(model, cache, capture=False)

        def counted(newest: list[int]) -> Tensor:
            seen.append(newest)
            return step(newest)

        return counted

    monkeypatch.setattr(generate_module, "_quick_step", quick)
    return seen


@pytest.mark.parametrize("prompts", [PROMPTS[:1], PROMPTS], ids=["one", "several of different lengths"])
@pytest.mark.parametrize("block", [1, 8, 256])
@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 1.2, "top_k": 20, "seed": 3}])
def test_the_tokens_are_those_of_the_ordinary_path(
    model: GPT,
    prompts: list[list[int]],
    block: int,
    settings: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("TUPPENCE_NATIVE", "0")
    ordinary = generate(model, prompts, Sampling(max_tokens=90, **settings))  # type: ignore[arg-type]
    steps = request.getfixturevalue("steps")
    monkeypatch.setattr(graph_step_module, "BLOCK", block)
    assert generate(model, prompts, Sampling(max_tokens=90, **settings)) == ordinary  # type: ignore[arg-type]
    assert len(steps) > 60  # the context is outgrown several times, and read again


def test_the_logits_are_those_of_one_forward_pass_and_padding_is_not_among_them(
    model: GPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loss_module.HEAD_MULTIPLE, "cpu", 64)
    tokens = torch.randint(0, 61, (2, 12))
    cache = KVCache(CONFIG, [5, 5], 12, torch.float32, torch.device("cpu"))
    with torch.inference_mode():
        step = GraphStep(model, cache, capture=False)
        assert len(step._head_PD) == 64
        model.hidden(tokens[:, :5], cache)
        expected_BTV = model(tokens)
        for column in range(5, 12):
            logits_BV = step(tokens[:, column].tolist())
            assert logits_BV.shape == (2, 61)
            torch.testing.assert_close(logits_BV, expected_BTV[:, column])
    assert cache.is_full


def test_unfilled_memory_is_never_read(model: GPT) -> None:
    cache = KVCache(CONFIG, [1], 20, torch.float32, torch.device("cpu"))
    for tensor in (cache.keys_LBHSK, cache.values_LBHSK):
        tensor.fill_(float("nan"))
    with torch.inference_mode():
        step = GraphStep(model, cache, capture=False)
        model.hidden(torch.tensor([[1]]), cache)
        assert bool(step([2]).isfinite().all())


def test_on_a_cpu_no_graph_is_captured(model: GPT) -> None:
    assert graph_step(model, KVCache(CONFIG, [1], 20, torch.float32, torch.device("cpu")), 100) is None

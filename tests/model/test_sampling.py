from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.model.sampling import Sampling, choose, draw, probabilities


def logits(batch: int = 4, vocabulary: int = 50, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(batch, vocabulary, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [None, 1, 7, 50, 1000])
@pytest.mark.parametrize("top_p", [None, 0.01, 0.5, 0.9, 1.0])
def test_probabilities_are_those_of_transformers(temperature: float, top_k: int | None, top_p: float | None) -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    scores = process.TemperatureLogitsWarper(temperature)(None, logits())
    if top_k is not None:
        scores = process.TopKLogitsWarper(top_k)(None, scores)
    if top_p is not None:
        scores = process.TopPLogitsWarper(top_p)(None, scores)
    ours = probabilities(logits(), Sampling(temperature, top_k, top_p))
    torch.testing.assert_close(ours, scores.softmax(dim=-1), rtol=1e-4, atol=1e-6)


def test_temperature_zero_is_the_likeliest_token_and_not_unset() -> None:
    likeliest = logits().argmax(dim=-1).tolist()
    assert choose(logits(), Sampling(temperature=0), [0.999] * 4) == likeliest
    assert choose(logits(), Sampling(temperature=0.0, top_k=5, top_p=0.5), [0.999] * 4) == likeliest


def test_a_tiny_temperature_is_greedy_and_does_not_overflow() -> None:
    assert choose(logits(), Sampling(temperature=1e-30), [0.999] * 4) == logits().argmax(dim=-1).tolist()


@pytest.mark.parametrize("temperature", [1e-38, 1e-45, 1e-46, 1e-300, 5e-324])
def test_a_temperature_that_float32_cannot_divide_by_is_greedy(temperature: float) -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [5.0, -1.0, 5.5]])
    assert choose(logits, Sampling(temperature), [0.0, 0.999]) == [1, 2]


def test_draws_follow_the_distribution() -> None:
    chances = torch.tensor([[0.5, 0.0, 0.3, 0.2]])
    uniforms = [(i + 0.5) / 1000 for i in range(1000)]
    drawn = [draw(chances, [uniform])[0] for uniform in uniforms]
    assert [drawn.count(token) for token in range(4)] == [500, 0, 300, 200]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1e-30, 1e-8, 0.1, 0.5, 1.0]), min_size=1, max_size=40),
    st.sampled_from([0.0, 1e-17, 0.25, 0.5, 1 - 2**-53]),
)
def test_a_token_of_probability_zero_is_never_drawn(weights: list[float], uniform: float) -> None:
    chances = torch.tensor([weights])
    if chances.sum() > 0:
        assert chances[0, draw(chances, [uniform])[0]] > 0


def test_rows_are_drawn_independently() -> None:
    uniforms = [0.1, 0.4, 0.7, 0.95]
    together = choose(logits(), Sampling(), uniforms)
    alone = [choose(logits()[row : row + 1], Sampling(), [uniforms[row]])[0] for row in range(4)]
    assert together == alone


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"temperature": -0.1}, "temperature -0.1"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"temperature": float("inf")}, "temperature inf"),
        ({"top_k": 0}, "top-k 0"),
        ({"top_p": 0.0}, "top-p 0.0"),
        ({"top_p": 1.5}, "top-p 1.5"),
        ({"max_tokens": -1}, "max_tokens -1"),
        ({"stop": ("end", "")}, "a stop string is empty"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**setting)  # type: ignore[arg-type]

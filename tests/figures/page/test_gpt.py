"""The GPT in JavaScript against torch, in Node and in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.browser import opened
from tests.figures.page.conftest import PROMPT, toy_model, without_start

from tuppence.figures.page.packing import pack_model
from tuppence.figures.page.quantise import quantise_rows
from tuppence.model.attention import causal_mask, explicit_attention
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling, draw, probabilities
from tuppence.tokenizer import Tokenizer

Node = Callable[[str, Any], Any]

READ = """({packed, ids}) => {
  const model = new GPT(packed), text = model.emptyText();
  for (const id of ids) model.read(text, id);
  return {logits: text.hidden.map((hidden) => [...model.logits(hidden)]), attention: text.attention.map((a) => [...a])};
}"""


def dequantised(model: GPT) -> GPT:
    """A copy with the weights that the page computes with."""
    copy = GPT(model.config).eval()
    state = {
        name: torch.from_numpy(quantise_rows(tensor.numpy()).dequantised()) if tensor.ndim == 2 else tensor
        for name, tensor in model.state_dict().items()
    }
    copy.load_state_dict(state)
    return copy


def attention_maps(model: GPT, ids: list[int]) -> torch.Tensor:
    """The attention weights of every layer and head, (L, H, T, T)."""
    x_BTD = model.token_embedding(torch.tensor([ids])) + model.position_embedding(torch.arange(len(ids)))
    maps = []
    for block in model.blocks:
        _, weights = explicit_attention(
            *block.attention.heads(block.attention_norm(x_BTD)), causal_mask(len(ids), len(ids))
        )
        maps.append(weights[0])
        x_BTD = block(x_BTD)
    return torch.stack(maps)


def assert_equal_to_torch(answer: dict[str, Any], model: GPT, ids: list[int], vocab_size: int) -> None:
    with torch.no_grad():
        expected = dequantised(model)(torch.tensor([ids]))[0, :, :vocab_size]
        maps = attention_maps(dequantised(model), ids)
        whole = torch.softmax(model(torch.tensor([ids]))[0, :, :vocab_size], dim=-1)
    logits = torch.tensor(answer["logits"])
    assert logits.shape == expected.shape
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()
    for time, weights in enumerate(answer["attention"]):
        ours = torch.tensor(weights, dtype=torch.float32).view(*maps.shape[:2], time + 1)
        assert torch.allclose(ours, maps[:, :, time, : time + 1], atol=1e-5)
    # int8 instead of float32: a stated bound for this model; the mean error is a tenth of it
    assert (torch.softmax(logits, dim=-1) - whole).abs().max() < 0.05


@pytest.mark.parametrize("sizes", [{}, {"n_layers": 3, "n_heads": 1, "d_model": 30, "layer_norm_epsilon": 1e-3}])
def test_logits_and_attention_are_torchs_in_node(sizes: dict[str, Any], tokenizer: Tokenizer, node: Node) -> None:
    model, ids = toy_model(seed=1, **sizes), tokenizer.encode(PROMPT)
    answer = node(READ, {"packed": pack_model(model, tokenizer.vocab_size), "ids": ids})
    assert_equal_to_torch(answer, model, ids, tokenizer.vocab_size)


def test_logits_and_attention_are_torchs_in_chromium(browser: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><link rel=icon href=data:,><title>blank</title>")
    model, ids = toy_model(), tokenizer.encode(PROMPT)
    with opened(browser, blank) as page:
        answer = page.evaluate(
            f"(value) => {{ {without_start()}; return ({READ})(value); }}",
            {"packed": pack_model(model, tokenizer.vocab_size), "ids": ids},
        )
    assert_equal_to_torch(answer, model, ids, tokenizer.vocab_size)


def test_a_shortened_text_goes_on_as_if_the_rest_had_not_been(tokenizer: Tokenizer, node: Node) -> None:
    packed = pack_model(toy_model(), tokenizer.vocab_size)
    both = """({packed}) => [[5, 6, 7, 8, 9], [5, 6]].map((first) => {
      const model = new GPT(packed), text = model.emptyText();
      for (const id of first) model.read(text, id);
      model.truncate(text, 2);
      for (const id of [30, 31]) model.read(text, id);
      return [text.tokens, [...text.hidden[3]], [...text.attention[3]]];
    })"""
    long, short = node(both, {"packed": packed})
    assert long == short
    assert long[0] == [5, 6, 30, 31]


@pytest.mark.parametrize("temperature", [0.1, 0.7, 1.0, 2.0])
def test_probabilities_and_draws_are_those_of_generate(temperature: float, node: Node) -> None:
    logits = torch.randn(1, 50, generator=torch.Generator().manual_seed(3)) * 3
    uniforms = [(step + 0.5) / 400 for step in range(400)]
    expected = probabilities(logits, Sampling(temperature=temperature))
    function = """({logits, temperature, uniforms}) => {
      const chances = probabilities(Float32Array.from(logits), temperature);
      return [[...chances], uniforms.map((random) => draw(chances, random))];
    }"""
    chances, drawn = node(function, {"logits": logits[0].tolist(), "temperature": temperature, "uniforms": uniforms})
    assert torch.allclose(torch.tensor(chances), expected[0], atol=1e-6)
    assert drawn == draw(expected.expand(400, -1), uniforms)


def test_at_temperature_zero_the_likeliest_token_is_drawn(node: Node) -> None:
    function = "(logits) => draw(probabilities(Float32Array.from(logits), 0), 0.999999)"
    assert node(function, [0.5, 3.0, -1.0, 3.0, 2.9]) == 1

"""Exercises of chapter 4: layer norm, a transformer block, and drawing a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tuppence.exercises import answers
from tuppence.exercises.exercise import (
    Calls,
    Draw,
    Exercise,
    Property,
    UnfitError,
    a_number,
    a_tensor,
    differs,
    first_tensor,
    not_finite,
)
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import Block

Norm = tuple[Tensor, Tensor, Tensor, float]


def _plain_norms(draw: Draw) -> Iterator[Norm]:
    """Rows of a large variance, no scale, no shift, a tiny epsilon."""
    x = torch.tensor([[1.0, 3.0], [-4.0, 4.0]])
    yield x, torch.ones(2), torch.zeros(2), 1e-8
    for shape in ((3, 4), (2, 3, draw.integer(5, 8))):
        yield draw.normal(*shape, scale=5), torch.ones(shape[-1]), torch.zeros(shape[-1]), 1e-8


def _large_epsilon(draw: Draw) -> Iterator[Norm]:
    yield torch.tensor([[-1.0, 1.0]]), torch.ones(2), torch.zeros(2), 3.0
    for width in (3, 6):
        yield draw.normal(2, width, scale=2), torch.ones(width), torch.zeros(width), 1.0


def _constant_rows(draw: Draw) -> Iterator[Norm]:
    yield torch.tensor([[2.0, 2.0]]), torch.ones(2), torch.zeros(2), 1e-5
    yield torch.full((2, 5), draw.number(-9, 9)), torch.ones(5), torch.zeros(5), 1e-5


def _any_norms(draw: Draw) -> Iterator[Norm]:
    yield torch.tensor([[1.0, 3.0]]), torch.tensor([2.0, 3.0]), torch.tensor([10.0, 20.0]), 1e-5
    for shape in ((2, 4), (2, 3, 6)):
        yield draw.normal(*shape), draw.normal(shape[-1]), draw.normal(shape[-1]), 1e-5


def _mean_zero(norm: Calls, *arguments: Any) -> str | None:
    out = norm(*arguments)
    differs(out, arguments[0])  # the shape
    return differs(out.mean(dim=-1), torch.zeros(out.shape[:-1]))


def _variance_one(norm: Calls, *arguments: Any) -> str | None:
    return differs(norm(*arguments).var(dim=-1, correction=0), torch.ones(arguments[0].shape[:-1]), 1e-3)


def _epsilon_in_the_root(norm: Calls, x: Tensor, g: Tensor, b: Tensor, eps: float) -> str | None:
    variance = x.var(dim=-1, correction=0)
    return differs(norm(x, g, b, eps).var(dim=-1, correction=0), variance / (variance + eps), 1e-3)


def _scale_invariant(norm: Calls, x: Tensor, g: Tensor, b: Tensor, eps: float) -> str | None:
    before = norm(x, g, b, eps)
    return differs(norm(10 * x, g, b, eps), before, 1e-3) and "ten times the input gives another output"


def _constant(norm: Calls, *arguments: Any) -> str | None:
    found = norm.gradients(*arguments)[0]
    return not_finite(norm(*arguments)) or (not_finite(found) and "the gradient of a constant row is not finite")


def _like_torch(norm: Calls, x: Tensor, g: Tensor, b: Tensor, eps: float) -> str | None:
    return differs(norm(x, g, b, eps), F.layer_norm(x, g.shape, g, b, eps), 1e-4)


LAYER_NORM = Exercise(
    chapter=4,
    name="layer_norm",
    parameters=("x", "g", "b", "eps"),
    task="x (…, D), normalised over its last dimension with eps for stability, times the scale g (D,), plus the "
    "shift b (D,); without torch's own layer norm",
    difficulty=1,
    importance=3,
    minutes=10,
    fit=a_tensor,
    properties=(
        Property(
            "without scale and shift, each token has mean 0",
            _plain_norms,
            _mean_zero,
            "A token is normalised by its own numbers, never by those of other tokens.",
            "Take the mean over dim=-1, with keepdim=True.",
        ),
        Property(
            "without scale and shift, each token has variance 1",
            _plain_norms,
            _variance_one,
            "The variance is a mean of squares. Divide by how many there are: D, or one less?",
            "torch's var divides by D - 1 unless you say correction=0.",
        ),
        Property(
            "eps is added to the variance: a variance of v becomes v / (v + eps)",
            _large_epsilon,
            _epsilon_in_the_root,
            "Is eps inside the root or outside?",
            "For the variance 1 and eps 3, the root is 2.",
        ),
        Property(
            "ten times the input is the same output",
            _plain_norms,
            _scale_invariant,
            "That is what it is for: the residual stream may grow.",
            "Divide by the root of the variance, which is ten times as large then; not by the variance.",
        ),
        Property(
            "a row of equal numbers stays finite, and so does its gradient",
            _constant_rows,
            _constant,
            "The root has an infinite slope at zero.",
            "A variance of 0 needs eps under the root, before it is taken.",
        ),
        Property(
            "scale and shift are applied after that, one number of each for each feature",
            _any_norms,
            _like_torch,
            "Normalise first, then scale, then shift.",
            "g and b have one number for each of the D columns.",
        ),
    ),
    second_hint="Compute mean and variance with keepdim=True over the last dimension, and print both for two numbers.",
    answer=answers.layer_norm,
)

Params = dict[str, Any]


def _params(draw: Draw, width: int, heads: int) -> Params:
    def linear(name: str, out: int, into: int) -> Params:
        return {f"{name}.weight": draw.normal(out, into, scale=0.5), f"{name}.bias": draw.normal(out, scale=0.3)}

    def norm(name: str) -> Params:
        return {f"{name}.weight": 1 + draw.normal(width, scale=0.3), f"{name}.bias": draw.normal(width, scale=0.3)}

    attention = {**linear("attention.qkv", 3 * width, width), **linear("attention.projection", width, width)}
    mlp = {**linear("mlp.expand", 4 * width, width), **linear("mlp.contract", width, 4 * width)}
    return {"n_heads": heads, **norm("attention_norm"), **attention, **norm("mlp_norm"), **mlp}


def _without(params: Params, *layers: str) -> Params:
    """The same with zeros for some linear layers."""
    zeros = {name: torch.zeros_like(value) for name, value in params.items() if name.rpartition(".")[0] in layers}
    return {**params, **zeros}


def _blocks(draw: Draw) -> Iterator[tuple[Tensor, Params]]:
    for batch, length, width, heads in ((1, 1, 2, 1), (1, 3, 4, 2), (2, draw.integer(3, 6), 6, 3)):
        yield draw.normal(batch, length, width), _params(draw, width, heads)


def _closed(draw: Draw) -> Iterator[tuple[Tensor, Params]]:
    for x, params in _blocks(draw):
        yield x, _without(params, "attention.projection", "mlp.contract")


def _known_activation(draw: Draw) -> Iterator[tuple[Tensor, Params]]:
    """Only the MLP writes, and its input is one number, whatever norm comes before."""
    for x, params in _blocks(draw):
        width = x.shape[-1]
        for name in ("attention_norm", "mlp_norm"):
            params[f"{name}.weight"] = torch.zeros(width)
            params[f"{name}.bias"] = -torch.ones(width)
        params["mlp.expand.weight"] = torch.eye(width).repeat(4, 1)
        params["mlp.expand.bias"] = torch.zeros(4 * width)
        yield x, _without(params, "attention.projection")


def _only_the_mlp(draw: Draw) -> Iterator[tuple[Tensor, Params]]:
    for x, params in _blocks(draw):
        yield x, _without(params, "attention.projection")


def _identity(block: Calls, x: Tensor, params: Params) -> str | None:
    return differs(block(x, params), x)


def _no_future(block: Calls, x: Tensor, params: Params) -> str | None:
    before = block(x, params)
    changed = x.clone()
    changed[:, -1] += 2 * torch.arange(x.shape[-1])  # not by the same number: a layer norm would take it out
    after = block(changed, params)
    return differs(after[:, :-1], before[:, :-1]) and "a change of the last token changes the output of an earlier one"


def _like_answer(block: Calls, x: Tensor, params: Params) -> str | None:
    return differs(block(x, params), answers.block(x, params), 3e-3)


def _like_block(block: Calls, x: Tensor, params: Params) -> str | None:
    sizes = {"n_layers": 1, "d_model": x.shape[-1], "context_length": 8, "vocab_size": 2}
    module = Block(ModelConfig(n_heads=params["n_heads"], **sizes), "explicit")
    module.load_state_dict({name: value for name, value in params.items() if name != "n_heads"})
    with torch.no_grad():
        return differs(block(x, params), module(x), 3e-3)


BLOCK = Exercise(
    chapter=4,
    name="block",
    parameters=("x", "params"),
    task="the output (B, T, D) of a GPT-2 block for x (B, T, D). params is a dict of tensors with the names of the "
    "library's Block: attention_norm, attention.qkv, attention.projection, mlp_norm, mlp.expand and mlp.contract, each "
    'with .weight and .bias, and params["n_heads"]; eps is 1e-5',
    difficulty=3,
    importance=3,
    minutes=30,
    fit=first_tensor,
    properties=(
        Property(
            "if both branches write zeros, the block changes nothing",
            _closed,
            _identity,
            "The residual stream goes through; branches add to it. Where must the norms stand for that?",
            "x + branch(norm(x)): x itself goes through no norm.",
        ),
        Property(
            "the MLP's activation is GELU: a negative number gives a little, not zero",
            _known_activation,
            _like_answer,
            "Which activation does GPT-2 use?",
            "Step 2 of the chapter has it, with tanh.",
        ),
        Property(
            "the MLP reads the stream through its own norm",
            _only_the_mlp,
            _like_answer,
            "There are two norms in a block, with parameters of their own.",
            "mlp_norm has a weight and a bias of its own, and reads x after attention was added.",
        ),
        Property(
            "no token sees a later one",
            _blocks,
            _no_future,
            "Only attention moves anything between tokens, and it has a mask.",
            "Scores above the diagonal are minus infinity before the softmax.",
        ),
        Property(
            "it is the library's Block",
            _blocks,
            _like_block,
            "The MLP reads what attention has written. Biases count too.",
            "Order: norm, attention, add; norm, MLP, add. The scale is √(D / n_heads).",
        ),
    ),
    second_hint="Two lines of the form: stream = stream + branch(norm(stream)).",
    answer=answers.block,
)

Choice = tuple[Tensor, float, int | None, float | None]
_DRAWS = 400


def _logits(*probabilities: float) -> Tensor:
    return torch.tensor(probabilities).log()


def _tokens(sample: Calls, choice: Choice) -> list[int]:
    """The tokens of 400 draws with evenly spaced u."""
    spaced = [(number + 0.5) / _DRAWS for number in range(_DRAWS)]
    found = sample.many([[*choice, u] for u in spaced])
    for token in found:
        if token != int(token) or not 0 <= token < len(choice[0]):
            raise UnfitError(f"is {token:g}; a token id from 0 to {len(choice[0]) - 1} is needed")
    return [int(token) for token in found]


def _kept(choice: Choice) -> Tensor:
    """The probabilities after temperature, top-k and top-p, in this order."""
    from tuppence.model.sampling import Sampling, probabilities

    logits, temperature, k, p = choice
    return probabilities(logits[None], Sampling(temperature=temperature, top_k=k, top_p=p))[0]


def _greedy_choices(draw: Draw) -> Iterator[tuple[Any, ...]]:
    yield torch.tensor([0.0, 2.0]), 0.0, None, None, 0.1
    yield torch.tensor([0.0, 2.0]), 1e-4, None, None, 0.1
    for size in (5, 30):
        yield draw.normal(size, scale=3), 0.0, None, None, draw.number(0, 0.99)


def _is_greedy(sample: Calls, logits: Tensor, *rest: Any) -> str | None:
    found = sample(logits, *rest)
    return None if found == int(logits.argmax()) else f"token {found:g} has not the largest logit"


def _without_cut(draw: Draw) -> Iterator[Choice]:
    yield _logits(0.25, 0.75), 1.0, None, None
    yield _logits(0.2, 0.8), 2.0, None, None
    yield draw.normal(6), draw.number(0.5, 2.0), None, None


def _top_k(draw: Draw) -> Iterator[Choice]:
    yield _logits(0.2, 0.5, 0.3), 1.0, 1, None
    yield _logits(0.2, 0.5, 0.3), 1.0, 2, None
    yield draw.normal(8), 1.0, draw.integer(2, 6), None


def _top_p(draw: Draw) -> Iterator[Choice]:
    yield _logits(0.2, 0.5, 0.3), 1.0, None, 0.4
    yield _logits(0.2, 0.5, 0.3), 1.0, None, 0.7
    yield _logits(0.1, 0.4, 0.3, 0.2), 1.0, None, 0.75
    yield draw.normal(8), 1.0, None, 0.01


def _temperature_then_p(draw: Draw) -> Iterator[Choice]:
    yield _logits(0.1, 0.9), 4.0, None, 0.8
    yield _logits(0.2, 0.3, 0.5), 0.2, None, 0.7


def _k_then_p(draw: Draw) -> Iterator[Choice]:
    yield _logits(0.4, 0.3, 0.2, 0.1), 1.0, 2, 0.55
    yield _logits(0.1, 0.1, 0.35, 0.25, 0.2), 1.0, 3, 0.7


def _everything(draw: Draw) -> Iterator[Choice]:
    for size in (4, 10):
        yield draw.normal(size, scale=2), draw.number(0.5, 1.5), draw.integer(2, size), draw.number(0.3, 0.95)


def _same_set(sample: Calls, *choice: Any) -> str | None:
    found, kept = set(_tokens(sample, choice)), _kept(choice)
    outside = sorted(token for token in found if kept[token] == 0)
    if outside:
        return f"of 400 draws, some gave the token {outside[0]}, which is cut"
    missing = [token for token, share in enumerate(kept.tolist()) if share > 2 / _DRAWS and token not in found]
    return "of 400 draws, none gave a certain token that is not cut" if missing else None


def _same_shares(sample: Calls, *choice: Any) -> str | None:
    counts = Counter(_tokens(sample, choice))
    shares = torch.tensor([counts[token] / _DRAWS for token in range(len(choice[0]))])
    return differs(shares, _kept(choice), 3e-3) and "400 draws give tokens in other shares"


SAMPLE = Exercise(
    chapter=4,
    name="sample",
    parameters=("logits", "temperature", "k", "p", "u"),
    task="one token id, drawn from logits (V,): divide by the temperature, keep the k likeliest (None: all), of "
    "these keep the smallest set of likeliest tokens that together reach the probability p (None: all), renormalise, "
    "and draw with u, a number in [0, 1): the first id whose cumulative probability is above u; temperature 0 takes "
    "the likeliest",
    difficulty=3,
    importance=2,
    minutes=30,
    fit=a_number,
    properties=(
        Property(
            "temperature 0, or almost 0, takes the likeliest token",
            _greedy_choices,
            _is_greedy,
            "What is a logit divided by zero?",
            "Ask for 0 before you divide. For small ones, take the largest logit away before the exponential.",
        ),
        Property(
            "without a cut, tokens come in the shares of softmax(logits / temperature)",
            _without_cut,
            _same_shares,
            "Add probabilities up in the order of the ids, until the sum is above u.",
            "The first id whose running sum is above u, counted from id 0 and not from the likeliest.",
        ),
        Property(
            "top-k keeps exactly the k likeliest tokens",
            _top_k,
            _same_set,
            "Sort, and look at the k-th.",
            "All other logits become minus infinity.",
        ),
        Property(
            "top-p keeps the smallest set that reaches p, with the token that crosses p, and at least one token",
            _top_p,
            _same_set,
            "Is the sum before a token below p? Then the token is needed.",
            "Go from the likeliest on; stop as soon as the sum reaches p, with that token inside.",
        ),
        Property(
            "top-p looks at the probabilities after the temperature",
            _temperature_then_p,
            _same_set,
            "A high temperature flattens: more tokens are needed to reach p.",
            "Softmax of logits / temperature first, then p.",
        ),
        Property(
            "top-p looks at the probabilities that top-k has left, renormalised",
            _k_then_p,
            _same_set,
            "After top-k the remaining probabilities sum to 1 again. Where is p then?",
            "Divide by the sum of the k that are kept before you compare with p.",
        ),
        Property(
            "all together give the right shares",
            _everything,
            _same_shares,
            "Renormalise after each cut.",
            "After top-p, divide by the sum once more; u is compared with that.",
        ),
    ),
    second_hint="Temperature, k, p, draw. Print the probabilities after each, for three tokens.",
    answer=answers.sample,
)

EXERCISES: Sequence[Exercise] = (LAYER_NORM, BLOCK, SAMPLE)

"""Exercises of chapter 3: the causal mask, attention, and several heads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tuppence.core.console import counted
from tuppence.exercises import answers
from tuppence.exercises.exercise import (
    Calls,
    Draw,
    Exercise,
    Property,
    a_tensor,
    differs,
    first_tensor,
    not_finite,
)
from tuppence.model.attention import CausalSelfAttention
from tuppence.model.config import ModelConfig


def _squares(draw: Draw) -> Iterator[tuple[int, int]]:
    for size in (1, 2, 3, draw.integer(4, 9)):
        yield size, size


def _with_a_past(draw: Draw) -> Iterator[tuple[int, int]]:
    yield 1, 2
    yield 2, 4
    for _ in range(3):
        queries = draw.integer(1, 6)
        yield queries, queries + draw.integer(1, 6)


def _allowed(mask: Calls, queries: int, keys: int) -> Tensor:
    allowed = a_tensor(mask(queries, keys))
    differs(allowed, torch.zeros(queries, keys))  # the shape
    return allowed.bool()


def _no_future(mask: Calls, queries: int, keys: int) -> str | None:
    future = _allowed(mask, queries, keys).triu(keys - queries + 1).nonzero().tolist()
    return f"row {future[0][0]} allows column {future[0][1]}, which comes after it" if future else None


def _itself_and_the_past(mask: Calls, queries: int, keys: int) -> str | None:
    allowed = _allowed(mask, queries, keys)
    for row, found in enumerate(allowed.sum(dim=1).tolist()):
        if found != row + keys - queries + 1:
            return f"row {row} allows {counted(found, 'key')}: too {'few' if found <= row + keys - queries else 'many'}"
    return None


def _booleans(mask: Calls, queries: int, keys: int) -> str | None:
    kind = a_tensor(mask(queries, keys)).dtype
    return None if kind == torch.bool else f"the result has the type {kind}"


CAUSAL_MASK = Exercise(
    chapter=3,
    name="causal_mask",
    parameters=("T", "S"),
    task="a tensor (T, S) of booleans, True where a query may look at a key. The T queries are the last T of the S "
    "tokens, S ≥ T; each looks at itself and at the tokens before it",
    difficulty=1,
    importance=3,
    minutes=10,
    fit=a_tensor,
    properties=(
        Property(
            "no query looks at a key that comes after it",
            _squares,
            _no_future,
            "Which side of the diagonal is the future? And does the diagonal belong to it?",
            "Rows are queries, columns keys, and True means: may look.",
        ),
        Property(
            "every query looks at itself and at every key before it",
            _squares,
            _itself_and_the_past,
            "The first token has only itself to look at. What happens to softmax over nothing?",
            "For T = S = 3, the rows have one, two and three times True.",
        ),
        Property(
            "with more keys than queries, the last query still looks at every key, the one before at all but one",
            _with_a_past,
            _itself_and_the_past,
            "The first queries are not the first tokens: the keys of the past were computed earlier.",
        ),
        Property(
            "its type is bool", _squares, _booleans, "A comparison gives booleans.", "Or give torch.ones a dtype."
        ),
    ),
    second_hint="Give every query and every key its position among the S tokens, and compare positions.",
    answer=answers.causal_mask,
)

Heads = tuple[Tensor, Tensor, Tensor, Tensor]


def _heads(draw: Draw) -> Iterator[Heads]:
    """Queries, keys and values, from 2 tokens in one head to several sequences."""
    for batch, heads, length, width in ((1, 1, 2, 2), (1, 2, 3, 4), (2, 3, draw.integer(4, 7), 4)):
        q, k, v = (draw.normal(batch, heads, length, width) for _ in range(3))
        yield q, k, v, answers.causal_mask(length, length)


def _sum_to_one(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    return differs(attention(q, k, torch.ones_like(v), mask), torch.ones_like(v))


def _has_an_effect(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    before, after = attention(q, k, v, torch.ones_like(mask)), attention(q, k, v, mask)
    differs(after, q @ k.transpose(-2, -1) @ v)  # the shape
    same = torch.allclose(after[..., 0, :], before[..., 0, :], atol=1e-6)
    return (
        "with a mask that hides keys, and with one that hides none, the first query has the same output"
        if same
        else None
    )


def _weights(draw: Draw) -> Iterator[Heads]:
    """One-hot values: the output is the weights."""
    for q, k, _, mask in _heads(draw):
        yield q, k, torch.eye(q.shape[-2]).expand(*q.shape[:-1], -1).clone(), mask


def _none_for_hidden(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    weights = attention(q, k, v, mask)
    differs(weights, v)  # the shape
    for batch, head, query, key in torch.cartesian_prod(*map(torch.arange, weights.shape)).tolist():
        weight = weights[batch, head, query, key].item()
        if not mask[query, key] and abs(weight) > 1e-6:
            return f"query {query} gives the weight {weight:.3g} to key {key}, which the mask hides"
        if mask[query, key] and not weight > 0:
            return f"query {query} gives the weight {weight:.3g} to key {key}, which the mask allows"
    return None


def _no_leak(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    before = attention(q, k, v, mask)
    k, v = k.clone(), v.clone()
    k[..., -1, :] += 3
    v[..., -1, :] -= 5
    after = attention(q, k, v, mask)
    same = differs(after[..., :-1, :], before[..., :-1, :], 1e-5)
    return same and "after a change of the last key and value, the output of an earlier query is another"


def _scaled(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    """With one-hot values the output is the weights: their log ratios are differences of scores."""
    weights = attention(q, k, v, mask)
    scores = q @ k.transpose(-2, -1)
    wanted = (scores[..., 0] - scores[..., 1]) / math.sqrt(q.shape[-1])
    found = torch.log(weights[..., 0] / weights[..., 1])
    if differs(found, wanted, 1e-3) is None:
        return None
    sharp = found.abs().mean() > wanted.abs().mean()
    return f"the weights of two keys are too {'unequal' if sharp else 'equal'} for their scores"


def _two_keys(draw: Draw) -> Iterator[Heads]:
    for heads, width in ((1, 4), (2, 4), (2, 9)):
        q, k = draw.normal(1, heads, 2, width), draw.normal(1, heads, 2, width)
        yield q, k, torch.eye(2).expand(1, heads, 2, 2).clone(), torch.ones(2, 2, dtype=torch.bool)


def _open(draw: Draw) -> Iterator[Heads]:
    for q, k, v, mask in _heads(draw):
        yield q, k, v, torch.ones_like(mask)


def _order_of_keys(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    before = attention(q, k, v, mask)
    after = attention(q, k.flip(-2), v.flip(-2), mask)
    return differs(after, before) and "after keys and values changed places together, the output is another"


def _large(draw: Draw) -> Iterator[Heads]:
    for q, k, v, mask in _heads(draw):
        yield 100 * q.sign(), 100 * k.sign(), v, mask


def _half(draw: Draw) -> Iterator[Heads]:
    for q, k, v, mask in _heads(draw):
        yield q.half(), k.half(), v.half(), mask


def _finite(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    return not_finite(attention(q, k, v, mask))


def _in_half_precision(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    found = attention(q, k, v, mask)
    return not_finite(found) or differs(found, answers.attention(q.float(), k.float(), v.float(), mask), 2e-2)


def _gradients(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    found = attention.gradients(q, k, v, mask)
    inputs = q.clone().requires_grad_(), k.clone().requires_grad_(), v.clone().requires_grad_()
    out = answers.attention(*inputs, mask)
    weights = torch.arange(out.numel(), dtype=out.dtype).cos() + 2
    right = torch.autograd.grad((out.flatten() * weights).sum(), inputs)
    wrong = [name for name, one, other in zip("qkv", found, right, strict=True) if differs(one, other, 1e-3)]
    return f"the gradient of {', '.join(wrong)} is wrong" if wrong else None


def _past_and_present(draw: Draw) -> Iterator[Heads]:
    yield from _heads(draw)
    q, k, v = draw.normal(2, 2, 3, 4), draw.normal(2, 2, 7, 4), draw.normal(2, 2, 7, 4)
    yield q, k, v, answers.causal_mask(3, 7)


def _same_output(attention: Calls, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> str | None:
    return differs(attention(q, k, v, mask), answers.attention(q, k, v, mask))


ATTENTION = Exercise(
    chapter=3,
    name="attention",
    parameters=("q", "k", "v", "mask"),
    task="the output of scaled dot-product attention: q is (B, H, T, K), k and v are (B, H, S, K), mask is (T, S), "
    "False where a query may not look; return (B, H, T, K), or the pair of it and the weights (B, H, T, S)",
    difficulty=2,
    importance=3,
    minutes=20,
    fit=first_tensor,
    properties=(
        Property(
            "the mask has an effect: a query that may not look at a key has another output",
            _heads,
            _has_an_effect,
            "Where does your function use its fourth argument?",
            "masked_fill changes no tensor in place: it returns a new one.",
        ),
        Property(
            "a hidden key gets the weight 0, every other key a weight above 0",
            _weights,
            _none_for_hidden,
            "What must a score be, so that its weight is exactly zero? e⁰ is 1. And which value of the mask hides?",
            "The values are one-hot here, so your output is the weights: compare it with the mask, place by place.",
        ),
        Property(
            "the weights of each query sum to 1: if all values are 1, so is the output",
            _heads,
            _sum_to_one,
            "Softmax over which axis? And does something still change the weights after it?",
            "The last axis of the scores runs over the keys. The mask must act before the softmax divides.",
        ),
        Property(
            "no query sees what the mask hides: a change of a later key and value changes no earlier output",
            _heads,
            _no_leak,
            "Does anything but the softmax look at all keys together, such as a mean or a norm over the tokens?",
            "Every key makes its score alone with the query. Nothing else of it may reach another score.",
        ),
        Property(
            "the scores are divided by √K, K the width of one head",
            _two_keys,
            _scaled,
            "A sum of K products has K times the variance of one. Dividing by which number takes the K away?",
            "K is the last size of q. H · K, the width of the model, does not matter here.",
        ),
        Property(
            "without a mask, the order of the keys does not matter if the values move with them",
            _open,
            _order_of_keys,
            "Attention asks what fits, not where it stands.",
            "A score is made of one query and one key, and of no position.",
        ),
        Property(
            "large scores stay finite",
            _large,
            _finite,
            "The exponential of 100 overflows. Softmax does not change if a number is taken from all scores.",
            "Take the largest score of each query from its scores; torch.softmax does that itself.",
        ),
        Property(
            "it works in half precision",
            _half,
            _in_half_precision,
            "float16 ends at 65,504. Which number that you write down is larger?",
            "torch has an infinity of every type: float('-inf').",
        ),
        Property(
            "its gradients are right",
            _heads,
            _gradients,
            "Let torch compute them: stay in its operations.",
            "detach, item, numpy and torch.tensor(...) cut the computation off.",
        ),
        Property(
            "it is the reference's output, also with more keys than queries",
            _past_and_present,
            _same_output,
            "Take T from q and S from k.",
            "The mask that you are given is right for T and S: make none of your own.",
        ),
    ),
    second_hint="Four steps in this order: scores, mask, softmax, sum of the values. Print the weights of two tokens.",
    answer=answers.attention,
)

HeadArguments = tuple[Tensor, Tensor, Tensor, int]


def _multi(draw: Draw, *sizes: tuple[int, int, int, int]) -> Iterator[HeadArguments]:
    """x, w_qkv, w_out and the number of heads for (B, T, H, K)."""
    for batch, length, heads, width in sizes:
        d = heads * width
        yield draw.normal(batch, length, d), draw.normal(3 * d, d, scale=0.5), draw.normal(d, d, scale=0.5), heads


def _one_token(draw: Draw) -> Iterator[HeadArguments]:
    yield from _multi(draw, (1, 1, 1, 2), (2, 1, 1, 3))


def _one_head(draw: Draw) -> Iterator[HeadArguments]:
    yield from _multi(draw, (1, 2, 1, 2), (2, draw.integer(3, 6), 1, 4))


def _two_tokens(draw: Draw) -> Iterator[HeadArguments]:
    """Values that tell the two tokens apart: each head's output of the last token begins with both weights."""
    for batch, heads, width in ((1, 2, 2), (2, 3, 3)):
        d = heads * width
        x, w_qkv = draw.normal(batch, 2, d), draw.normal(3 * d, d, scale=0.5)
        x[..., :2] = torch.eye(2)
        w_qkv[2 * d :] = 0
        for head in range(heads):
            w_qkv[2 * d + head * width : 2 * d + head * width + 2, :2] = torch.eye(2)
        yield x, w_qkv, torch.eye(d), heads


def _constant_values(draw: Draw) -> Iterator[HeadArguments]:
    """The first number of every token is 1, and every value is that number; the output matrix is the identity."""
    for x, w_qkv, _, heads in _multi(draw, (1, 2, 2, 2), (2, 4, 3, 2)):
        d = x.shape[-1]
        x[..., 0] = 1
        w_qkv[2 * d :] = 0
        w_qkv[2 * d :, 0] = 1
        yield x, w_qkv, torch.eye(d), heads


def _several_heads(draw: Draw) -> Iterator[HeadArguments]:
    yield from _multi(draw, (1, 2, 2, 2), (1, 3, 3, 2), (2, draw.integer(4, 7), 2, 4))


def _own_value(multi_head: Calls, x: Tensor, w_qkv: Tensor, w_out: Tensor, heads: int) -> str | None:
    d = x.shape[-1]
    return differs(multi_head(x, w_qkv, w_out, heads), x @ w_qkv[2 * d :].T @ w_out.T, 1e-3)


def _no_later_token(multi_head: Calls, x: Tensor, w_qkv: Tensor, w_out: Tensor, heads: int) -> str | None:
    before = multi_head(x, w_qkv, w_out, heads)
    changed = x.clone()
    changed[:, -1] += 3
    after = multi_head(changed, w_qkv, w_out, heads)
    same = differs(after[:, :-1], before[:, :-1], 1e-5)
    return same and "a change of the last token changes the output of an earlier one"


def _log_ratios(multi_head: Calls, x: Tensor, w_qkv: Tensor, w_out: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """(B, H) each: the log ratio of both weights of the last token, and the difference of both products q · k."""
    batch, _, d = x.shape
    out = multi_head(x, w_qkv, w_out, heads)
    differs(out, x)  # the shape
    weights = out[:, 1].view(batch, heads, d // heads)[..., :2]
    q, k, _ = (part.view(batch, 2, heads, d // heads) for part in (x @ w_qkv.T).chunk(3, dim=-1))
    products = (q[:, 1, None] * k).sum(dim=-1)  # (B, 2, H)
    return torch.log(weights[..., 0] / weights[..., 1]), products[:, 0] - products[:, 1]


def _queries_meet_keys(multi_head: Calls, *arguments: Any) -> str | None:
    """The ratios belong to the products up to one factor, whatever it is."""
    found, products = _log_ratios(multi_head, *arguments)
    factor = (found * products).sum() / (products**2).sum()
    if factor > 0 and differs(found, factor * products, 1e-2) is None:
        return None
    return "the weights of the two tokens do not belong to the products of the query with both keys, in some head"


def _by_the_head_width(multi_head: Calls, x: Tensor, w_qkv: Tensor, w_out: Tensor, heads: int) -> str | None:
    found, products = _log_ratios(multi_head, x, w_qkv, w_out, heads)
    wanted = products / math.sqrt(x.shape[-1] // heads)
    if differs(found, wanted, 1e-2) is None:
        return None
    return f"the weights of the two tokens are too {'unequal' if found.abs().sum() > wanted.abs().sum() else 'equal'}"


def _each_sums_to_one(multi_head: Calls, x: Tensor, w_qkv: Tensor, w_out: Tensor, heads: int) -> str | None:
    return differs(multi_head(x, w_qkv, w_out, heads), torch.ones_like(x))


def _apart(multi_head: Calls, x: Tensor, w_qkv: Tensor, w_out: Tensor, heads: int) -> str | None:
    """With the identity as output matrix, each head has columns of its own."""
    d = x.shape[-1]
    before = multi_head(x, w_qkv, torch.eye(d), heads)
    changed = w_qkv.clone()
    changed[2 * d : 2 * d + d // heads] += 1  # the values of the first head
    after = multi_head(x, changed, torch.eye(d), heads)
    differs(before, x)  # the shape
    columns = ((after - before).abs().amax(dim=(0, 1)) > 1e-5).nonzero().flatten().tolist()
    if columns == list(range(d // heads)):
        return None
    return f"after a change of the first head's values, the output changes in the columns {columns}"


def _like_module(multi_head: Calls, x: Tensor, w_qkv: Tensor, w_out: Tensor, heads: int) -> str | None:
    d = x.shape[-1]
    module = CausalSelfAttention(ModelConfig(n_layers=1, n_heads=heads, d_model=d, context_length=8, vocab_size=2))
    state = {"qkv.weight": w_qkv, "qkv.bias": torch.zeros(3 * d), "projection.weight": w_out}
    module.load_state_dict({**state, "projection.bias": torch.zeros(d)})
    with torch.no_grad():
        return differs(multi_head(x, w_qkv, w_out, heads), module(x), 1e-3)


MULTI_HEAD = Exercise(
    chapter=3,
    name="multi_head",
    parameters=("x", "Wqkv", "Wo", "H"),
    task="causal self-attention with H heads and no biases: x is (B, T, D); Wqkv is (3D, D), with the rows of the "
    "queries, then the keys, then the values, and Wo is (D, D), both as torch's Linear stores them; head h has the "
    "columns from h·K on, K = D/H; return (B, T, D)",
    difficulty=3,
    importance=3,
    minutes=25,
    fit=first_tensor,
    properties=(
        Property(
            "a single token gets its own value, through Wo",
            _one_token,
            _own_value,
            "With one token there is nothing to choose. torch's Linear multiplies by the transpose of its weight.",
            "x @ W.T. The rows of the values are the last third of Wqkv.",
        ),
        Property(
            "no token sees a later one",
            _one_head,
            _no_later_token,
            "The mask belongs to this function: nobody gives you one.",
            "There are as many queries as keys here. Your causal_mask of exercise 3.1 fits.",
        ),
        Property(
            "the weights of each head sum to 1: if all values are 1, so is the output",
            _constant_values,
            _each_sums_to_one,
            "Each head has a softmax of its own.",
            "Over which axis is the softmax, and what else lies on that axis?",
        ),
        Property(
            "heads do not mix before Wo: the first head writes the first K columns, and no others",
            _several_heads,
            _apart,
            "The columns of a token are H groups of K. Which axis must come first before two heads can be told apart?",
            "The way back is the way there in reverse order: transpose first, then join H and K.",
        ),
        Property(
            "the scores of a head are products of its queries with its keys",
            _two_tokens,
            _queries_meet_keys,
            "The first third of Wqkv's rows makes the queries, the second the keys.",
            "Query t meets key s in row t, column s of the scores; the softmax runs over s.",
        ),
        Property(
            "the scores are divided by √K, K the width of a head and not of the model",
            _two_tokens,
            _by_the_head_width,
            "How many products does one score sum up?",
            "K = D / H. Divide once: your attention may do it already.",
        ),
        Property(
            "it is the library's CausalSelfAttention",
            _several_heads,
            _like_module,
            "After the heads, their outputs are put side by side again, in order.",
        ),
    ),
    second_hint="Write the shape behind every line, from (B, T, 3D) to (B, H, T, K) and back to (B, T, D).",
    answer=answers.multi_head,
)

EXERCISES = (CAUSAL_MASK, ATTENTION, MULTI_HEAD)

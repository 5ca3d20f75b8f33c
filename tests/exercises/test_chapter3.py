"""Each usual wrong answer of chapter 3 is caught by the property it breaks."""

from __future__ import annotations

import math

import pytest
import torch

from tests.exercises.grading import Function, assert_caught
from tuppence.exercises import answers
from tuppence.model.attention import causal_mask


def diagonal_hidden(queries, keys):
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries - 1)


def one_too_many(queries, keys):
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries + 1)


def upper_left(queries, keys):
    return torch.ones(queries, keys, dtype=torch.bool).tril()


def inverted(queries, keys):
    return ~causal_mask(queries, keys)


def zeros_and_ones(queries, keys):
    return causal_mask(queries, keys).float()


def weights_of(q, k, mask, *, divisor=None, dim=-1, hidden=-math.inf):
    scores = q @ k.transpose(-2, -1) / (math.sqrt(q.shape[-1]) if divisor is None else divisor)
    return torch.softmax(scores.masked_fill(~mask, hidden), dim=dim)


def no_root(q, k, v, mask):
    return weights_of(q, k, mask, divisor=1.0) @ v


def root_of_the_model_width(q, k, v, mask):
    return weights_of(q, k, mask, divisor=math.sqrt(q.shape[1] * q.shape[-1])) @ v


def k_for_its_root(q, k, v, mask):
    return weights_of(q, k, mask, divisor=q.shape[-1]) @ v


def mask_after_softmax(q, k, v, mask):
    return (weights_of(q, k, torch.ones_like(mask)) * mask) @ v


def softmax_over_queries(q, k, v, mask):
    return weights_of(q, k, mask, dim=-2) @ v


def large_number_in_half(q, k, v, mask):
    return weights_of(q, k, mask, hidden=-1e9) @ v


def zero_for_infinity(q, k, v, mask):
    return weights_of(q, k, mask, hidden=0.0) @ v


def no_mask(q, k, v, mask):
    return weights_of(q, k, torch.ones_like(mask)) @ v


def masked_in_vain(q, k, v, mask):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    scores.masked_fill(~mask, -math.inf)  # returns a new tensor, which is lost
    return torch.softmax(scores, dim=-1) @ v


def inverted_mask(q, k, v, mask):
    weights = weights_of(q, k, ~mask)
    return weights.nan_to_num(1 / k.shape[-2]) @ v


def keys_of_one_size(q, k, v, mask):
    return weights_of(q, k / k.norm(dim=-2, keepdim=True), mask) @ v


def position_counts(q, k, v, mask):
    places = torch.arange(k.shape[-2])[:, None].to(k) if k.shape[-2] > 2 else 0
    return weights_of(q, k * (1 + places), mask) @ v


def overflows(q, k, v, mask):
    scores = torch.exp(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])) * mask
    return scores / scores.sum(dim=-1, keepdim=True) @ v


def detached(q, k, v, mask):
    return weights_of(q, k.detach(), mask) @ v


def t_equals_s(q, k, v, mask):
    length = q.shape[-2]
    return weights_of(q, k[..., :length, :], mask[:, :length]) @ v[..., :length, :]


def heads_of(x, w_qkv, n_heads):
    batch, length, d = x.shape
    return [part.view(batch, length, n_heads, d // n_heads).transpose(1, 2) for part in (x @ w_qkv.T).chunk(3, dim=-1)]


def joined(heads, w_out):
    return heads.transpose(1, 2).flatten(2) @ w_out.T


def view_without_transpose(x, w_qkv, w_out, n_heads):
    batch, length, d = x.shape
    q, k, v = (part.reshape(batch, n_heads, length, d // n_heads) for part in (x @ w_qkv.T).chunk(3, dim=-1))
    return joined(answers.attention(q, k, v, causal_mask(length, length)), w_out)


def not_transposed_back(x, w_qkv, w_out, n_heads):
    heads = answers.attention(*heads_of(x, w_qkv, n_heads), causal_mask(x.shape[1], x.shape[1]))
    return heads.reshape(x.shape) @ w_out.T


def heads_in_wrong_order(x, w_qkv, w_out, n_heads):
    heads = answers.attention(*heads_of(x, w_qkv, n_heads), causal_mask(x.shape[1], x.shape[1]))
    return joined(heads.flip(1), w_out)


def one_softmax_over_heads(x, w_qkv, w_out, n_heads):
    q, k, v = heads_of(x, w_qkv, n_heads)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(~causal_mask(x.shape[1], x.shape[1]), -math.inf)
    weights = torch.softmax(scores.transpose(1, 2).flatten(2), dim=-1)
    return joined(weights.view(scores.transpose(1, 2).shape).transpose(1, 2) @ v, w_out)


def weight_not_transposed(x, w_qkv, w_out, n_heads):
    return answers.multi_head(x, w_qkv, w_out.T, n_heads)


def values_first(x, w_qkv, w_out, n_heads):
    return answers.multi_head(x, w_qkv.roll(len(w_qkv) // 3, dims=0), w_out, n_heads)


def keys_first(x, w_qkv, w_out, n_heads):
    q, k, v = w_qkv.chunk(3)
    return answers.multi_head(x, torch.cat([k, q, v]), w_out, n_heads)


def without_a_mask(x, w_qkv, w_out, n_heads):
    q, k, v = heads_of(x, w_qkv, n_heads)
    return joined(weights_of(q, k, torch.ones(x.shape[1], x.shape[1], dtype=torch.bool)) @ v, w_out)


def scaled_twice(x, w_qkv, w_out, n_heads):
    q, k, v = heads_of(x, w_qkv, n_heads)
    weights = weights_of(q, k, causal_mask(x.shape[1], x.shape[1]), divisor=q.shape[-1])
    return joined(weights @ v, w_out)


def joined_by_the_wrong_columns(x, w_qkv, w_out, n_heads):
    """Wo gets the numbers of all heads interleaved; with one head, or with the identity, nothing shows it."""
    d = len(w_out)
    order = torch.arange(d).view(n_heads, -1).T.flatten()
    return answers.multi_head(x, w_qkv, w_out if torch.equal(w_out, torch.eye(d)) else w_out[:, order], n_heads)


def scaled_by_the_model_width(x, w_qkv, w_out, n_heads):
    q, k, v = heads_of(x, w_qkv, n_heads)
    weights = weights_of(q, k, causal_mask(x.shape[1], x.shape[1]), divisor=math.sqrt(x.shape[-1]))
    return joined(weights @ v, w_out)


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("causal_mask", one_too_many, "no query looks at a key that comes after it"),
        ("causal_mask", inverted, "no query looks at a key that comes after it"),
        ("causal_mask", diagonal_hidden, "every query looks at itself"),
        ("causal_mask", upper_left, "with more keys than queries"),
        ("causal_mask", zeros_and_ones, "its type is bool"),
        ("attention", mask_after_softmax, "the weights of each query sum to 1"),
        ("attention", softmax_over_queries, "the weights of each query sum to 1"),
        ("attention", no_mask, "the mask has an effect"),
        ("attention", masked_in_vain, "the mask has an effect"),
        ("attention", zero_for_infinity, "a hidden key gets the weight 0"),
        ("attention", inverted_mask, "a hidden key gets the weight 0"),
        ("attention", keys_of_one_size, "no query sees what the mask hides"),
        ("attention", no_root, "the scores are divided by √K"),
        ("attention", k_for_its_root, "the scores are divided by √K"),
        ("attention", root_of_the_model_width, "the scores are divided by √K"),
        ("attention", position_counts, "without a mask, the order of the keys"),
        ("attention", overflows, "large scores stay finite"),
        ("attention", large_number_in_half, "it works in half precision"),
        ("attention", detached, "its gradients are right"),
        ("attention", t_equals_s, "it is the reference's output"),
        ("multi_head", weight_not_transposed, "a single token gets its own value"),
        ("multi_head", values_first, "a single token gets its own value"),
        ("multi_head", without_a_mask, "no token sees a later one"),
        ("multi_head", one_softmax_over_heads, "the weights of each head sum to 1"),
        ("multi_head", view_without_transpose, "heads do not mix"),
        ("multi_head", not_transposed_back, "heads do not mix"),
        ("multi_head", heads_in_wrong_order, "heads do not mix"),
        ("multi_head", keys_first, "the scores of a head are products of its queries with its keys"),
        ("multi_head", scaled_by_the_model_width, "the scores are divided by √K"),
        ("multi_head", scaled_twice, "the scores are divided by √K"),
        ("multi_head", joined_by_the_wrong_columns, "it is the library's"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)

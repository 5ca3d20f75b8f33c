"""Each usual wrong answer of chapter 4 is caught by the property it breaks."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.exercises.grading import Function, assert_caught
from tuppence.exercises import answers
from tuppence.model.sampling import Sampling, draw, probabilities


def over_the_batch(x, g, b, eps):
    return g * (x - x.mean(dim=0)) / torch.sqrt(x.var(dim=0, correction=0) + eps) + b


def unbiased_variance(x, g, b, eps):
    return g * (x - x.mean(dim=-1, keepdim=True)) / torch.sqrt(x.var(dim=-1, keepdim=True) + eps) + b


def eps_outside_the_root(x, g, b, eps):
    return g * (x - x.mean(dim=-1, keepdim=True)) / (x.std(dim=-1, keepdim=True, correction=0) + eps) + b


def scale_after_shift(x, g, b, eps):
    return g * (answers.layer_norm(x, torch.ones_like(g), torch.zeros_like(b), eps) + b)


def capped(x, g, b, eps):
    return answers.layer_norm(x.clamp(-20, 20), g, b, eps)


def gradient_of_the_root(x, g, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred**2).mean(dim=-1, keepdim=True)
    root = torch.where(variance > 0, variance, variance.sqrt() ** 2)
    return g * centred / torch.sqrt(root + eps) + b


def parts(params, width):
    def linear(x, name):
        return x @ params[f"{name}.weight"].T + params[f"{name}.bias"]

    def norm(x, name):
        return F.layer_norm(x, (width,), params[f"{name}.weight"], params[f"{name}.bias"])

    def attention(x, causal=True):
        batch, length, _ = x.shape
        qkv = linear(x, "attention.qkv").chunk(3, dim=-1)
        q, k, v = (part.view(batch, length, params["n_heads"], -1).transpose(1, 2) for part in qkv)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return linear(out.transpose(1, 2).flatten(2), "attention.projection")

    def mlp(x, activation=F.gelu):
        return linear(activation(linear(x, "mlp.expand")), "mlp.contract")

    return norm, attention, mlp


def post_norm(x, params):
    norm, attention, mlp = parts(params, x.shape[-1])
    x = norm(x + attention(x), "attention_norm")
    return norm(x + mlp(x), "mlp_norm")


def no_residual(x, params):
    norm, attention, mlp = parts(params, x.shape[-1])
    return mlp(norm(attention(norm(x, "attention_norm")), "mlp_norm"))


def relu(x, params):
    norm, attention, mlp = parts(params, x.shape[-1])
    x = x + attention(norm(x, "attention_norm"))
    return x + mlp(norm(x, "mlp_norm"), F.relu)


def shared_norm(x, params):
    norm, attention, mlp = parts(params, x.shape[-1])
    x = x + attention(norm(x, "attention_norm"))
    return x + mlp(norm(x, "attention_norm"))


def no_mask(x, params):
    norm, attention, mlp = parts(params, x.shape[-1])
    x = x + attention(norm(x, "attention_norm"), causal=False)
    return x + mlp(norm(x, "mlp_norm"))


def side_by_side(x, params):
    norm, attention, mlp = parts(params, x.shape[-1])
    return x + attention(norm(x, "attention_norm")) + mlp(norm(x, "mlp_norm"))


def divided_by_zero(logits, temperature, k, p, u):
    return draw(torch.softmax(logits[None] / temperature, dim=-1).nan_to_num(), [u])[0]


def chosen_by(choice):
    """A sampler from (logits, temperature, k, p) to probabilities; temperature 0 is greedy."""

    def sample(logits, temperature, k, p, u):
        if temperature < 1e-3:
            return int(logits.argmax())
        return draw(choice(logits[None], temperature, k, p), [u])[0]

    return sample


def kept(logits, temperature, k, p):
    return probabilities(logits, Sampling(temperature=temperature, top_k=k, top_p=p))


def renormalised(weights):
    return weights / weights.sum(dim=-1, keepdim=True)


def without_temperature(logits, temperature, k, p):
    return kept(logits, 1.0, k, p)


def one_too_few(logits, temperature, k, p):
    return kept(logits, temperature, None if k is None else max(1, k - 1), p)


def without_the_crossing_token(logits, temperature, k, p):
    shares = kept(logits, temperature, k, None)
    if p is None:
        return shares
    ordered, order = shares.sort(descending=True)
    inside = (ordered.cumsum(dim=-1) <= p) | (torch.arange(ordered.shape[-1]) == 0)
    return renormalised(torch.zeros_like(shares).scatter(-1, order, ordered * inside))


def nothing_left(logits, temperature, k, p):
    shares = kept(logits, temperature, k, None)
    if p is None:
        return shares
    ordered, order = shares.sort(descending=True)
    return torch.zeros_like(shares).scatter(-1, order, ordered * (ordered.cumsum(dim=-1) <= p)) + 1e-30


def temperature_after_the_cut(logits, temperature, k, p):
    cut = kept(logits, 1.0, k, p)
    return torch.softmax(cut.log() / temperature, dim=-1)


def p_before_k(logits, temperature, k, p):
    nucleus = kept(logits, temperature, None, p)
    return kept(nucleus.log(), 1.0, k, None)


def not_renormalised(logits, temperature, k, p):
    shares = kept(logits, temperature, k, p)
    return shares if k is None or p is None else renormalised(shares**0.9)


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("layer_norm", over_the_batch, "without scale and shift, each token has mean 0"),
        ("layer_norm", unbiased_variance, "without scale and shift, each token has variance 1"),
        ("layer_norm", eps_outside_the_root, "eps is added to the variance"),
        ("layer_norm", capped, "ten times the input is the same output"),
        ("layer_norm", gradient_of_the_root, "a row of equal numbers stays finite"),
        ("layer_norm", scale_after_shift, "scale and shift are applied after that"),
        ("block", post_norm, "if both branches write zeros"),
        ("block", no_residual, "if both branches write zeros"),
        ("block", relu, "the MLP's activation is GELU"),
        ("block", shared_norm, "the MLP reads the stream through its own norm"),
        ("block", no_mask, "no token sees a later one"),
        ("block", side_by_side, "it is the library's Block"),
        ("sample", divided_by_zero, "temperature 0, or almost 0, takes the likeliest"),
        ("sample", chosen_by(without_temperature), "without a cut, tokens come in the shares"),
        ("sample", chosen_by(one_too_few), "top-k keeps exactly the k likeliest"),
        ("sample", chosen_by(without_the_crossing_token), "top-p keeps the smallest set"),
        ("sample", chosen_by(nothing_left), "top-p keeps the smallest set"),
        ("sample", chosen_by(temperature_after_the_cut), "top-p looks at the probabilities after the temperature"),
        ("sample", chosen_by(p_before_k), "top-p looks at the probabilities that top-k has left"),
        ("sample", chosen_by(not_renormalised), "all together give the right shares"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)

"""A right answer that is written in another way passes: with other libraries' code, or with plain loops.

The exercises' own answers share code with the library, so they cannot show a check that is too strict.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import nn
from torch.nn import functional as F

from tests.exercises.grading import Function, Here, exercise
from tuppence.exercises import EXERCISES
from tuppence.exercises.judge import try_properties


def count_parameters(n_layers, d_model, vocab_size, context_length):
    def block():
        norms = [nn.LayerNorm(d_model), nn.LayerNorm(d_model)]
        attention = [nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)]
        return nn.ModuleList([*norms, *attention, nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)])

    with torch.device("meta"):
        tables = [nn.Embedding(vocab_size, d_model), nn.Embedding(context_length, d_model), nn.LayerNorm(d_model)]
        model = nn.ModuleList([*tables, *(block() for _ in range(n_layers))])
    return sum(parameter.numel() for parameter in model.parameters())


def training_cost(params, tokens, tflops, mfu, usd_per_hour):
    hours = (2 + 4) * params * tokens / (tflops * 1e12 * mfu * 60 * 60)
    return torch.tensor(hours * usd_per_hour, dtype=torch.float64)


def grad_by_hand(x):
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (point * point + 3 * point + 1).backward()
    return point.grad


def knowledge_check(a, b, row, x):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return [torch.einsum("nm,mk->nk", a, b), torch.add(a, row), 2 * x + 3, device.type]


def merge_by_stack(tokens, pair, new):
    merged = []
    for token in tokens:  # None ends a merged token, which is no left half of another pair
        if merged and merged[-1] == pair[0] and token == pair[1]:
            merged[-1:] = [new, None]
        else:
            merged.append(token)
    return [token for token in merged if token is not None]


def encode_with_every_pair(word, ranks):
    tokens = [bytes([value]) for value in word]
    while True:
        known = [(ranks[a + b], place) for place, (a, b) in enumerate(pairwise(tokens)) if a + b in ranks]
        if not known:
            return tokens
        _, place = min(known)
        tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]


def windows_in_lists(ids, context_length):
    rows = ids.unfold(0, context_length + 1, context_length).tolist()
    return [row[:-1] for row in rows], [row[1:] for row in rows]


def mask_from_positions(queries, keys):
    return torch.arange(keys)[None] <= torch.arange(keys - queries, keys)[:, None]


def attention(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def attention_with_minus_the_largest_number(q, k, v, mask):
    scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, torch.finfo(q.dtype).min)
    weights = (scores - scores.amax(dim=-1, keepdim=True)).exp() * mask
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights @ v, weights


def multi_head(x, w_qkv, w_out, n_heads):
    module = nn.MultiheadAttention(x.shape[-1], n_heads, bias=False, batch_first=True)
    with torch.no_grad():
        module.in_proj_weight.copy_(w_qkv)
        module.out_proj.weight.copy_(w_out)
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return module(x, x, x, attn_mask=hidden, need_weights=False)[0]


def layer_norm(x, g, b, eps):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return torch.addcmul(b, (x - mean) * (variance + eps).rsqrt(), g)


def block(x, params):
    def linear(x, name):
        return F.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], params[f"{name}.weight"], params[f"{name}.bias"])

    heads = linear(norm(x, "attention_norm"), "attention.qkv").unflatten(-1, (3, params["n_heads"], -1))
    q, k, v = heads.permute(2, 0, 3, 1, 4)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    x = x + linear(out.transpose(1, 2).flatten(2), "attention.projection")
    return x + linear(F.gelu(linear(norm(x, "mlp_norm"), "mlp.expand")), "mlp.contract")  # without tanh


def sample(logits, temperature, k, p, u):
    if temperature == 0:
        return max(range(len(logits)), key=logits.tolist().__getitem__)
    shares = F.softmax(logits.double() / temperature, dim=0)
    order = sorted(range(len(shares)), key=lambda token: -shares[token].item())[:k]
    total, kept = shares[order].sum().item(), {}
    for token in order:
        if p is not None and sum(kept.values()) >= p:
            break
        kept[token] = shares[token].item() / total
    level = u * sum(kept.values())
    for token in sorted(kept):
        level -= kept[token]
        if level < 0:
            return token
    return max(kept)


def cross_entropy(logits, targets):
    counted = targets >= 0
    return -F.log_softmax(logits, dim=-1)[counted].gather(1, targets[counted, None]).sum()


def adamw_step(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    p.mul_(1 - lr * weight_decay)
    m.lerp_(g, 1 - beta1)
    v.lerp_(g**2, 1 - beta2)
    p.sub_(lr * (m / (1 - beta1**t)) / (torch.sqrt(v / (1 - beta2**t)) + eps))


def accumulate(losses, counts):
    return math.fsum(losses) / sum(counts)


def last_token(h, lengths):
    return torch.stack([row[:length][-1] for row, length in zip(h, lengths.tolist(), strict=True)])


def f1(pred, true):
    return f1_score(true, pred, average="macro", zero_division=0.0)


def auc(score, true):
    return roc_auc_score(true, score)


def mask_prompt(ids, n):
    return torch.tensor([-100] * n + list(ids[n:]))[1:]


def lora_forward(x, weight, bias, a, b, alpha, r):
    return F.linear(x, weight + alpha * (b @ a) / r, bias)


def merge_lora(weight, a, b, alpha, r):
    return torch.addmm(weight, b, a, alpha=alpha / r)


def bradley_terry(chosen, rejected):
    return F.softplus(rejected - chosen)


def dpo_loss(pi, ref, beta):
    margin = beta * ((pi[0].sum() - pi[1].sum()) - (ref[0].sum() - ref[1].sum()).detach())
    return F.binary_cross_entropy_with_logits(margin, torch.ones(()))


def gae(rewards, values, gamma, lam):
    following = [*values.tolist()[1:], 0.0]
    errors = [r + gamma * n - v for r, n, v in zip(rewards.tolist(), following, values.tolist(), strict=True)]
    steps = range(len(errors))
    return torch.tensor([sum((gamma * lam) ** (later - t) * errors[later] for later in steps[t:]) for t in steps])


def ppo_clip(logp, old_logp, advantages, eps):
    ratio = (logp - old_logp).exp()
    return torch.maximum(-ratio * advantages, -ratio.clamp(1 - eps, 1 + eps) * advantages)


OTHERS: list[tuple[str, Function]] = [
    ("1/count_parameters", count_parameters),
    ("1/training_cost", training_cost),
    ("1/grad_by_hand", grad_by_hand),
    ("1/knowledge_check", knowledge_check),
    ("2/merge", merge_by_stack),
    ("2/encode_word", encode_with_every_pair),
    ("2/windows", windows_in_lists),
    ("3/causal_mask", mask_from_positions),
    ("3/attention", attention),
    ("3/attention", attention_with_minus_the_largest_number),
    ("3/multi_head", multi_head),
    ("4/layer_norm", layer_norm),
    ("4/block", block),
    ("4/sample", sample),
    ("5/cross_entropy", cross_entropy),
    ("5/adamw_step", adamw_step),
    ("5/accumulate", accumulate),
    ("6/last_token", last_token),
    ("6/f1", f1),
    ("6/auc", auc),
    ("7/mask_prompt", mask_prompt),
    ("7/lora_forward", lora_forward),
    ("7/merge", merge_lora),
    ("8/bradley_terry", bradley_terry),
    ("8/dpo_loss", dpo_loss),
    ("8/gae", gae),
    ("8/ppo_clip", ppo_clip),
]


@pytest.mark.parametrize(("key", "other"), OTHERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_right_answer_written_in_another_way_passes(key: str, other: Function, seed: int) -> None:
    result = try_properties(exercise(key), Here(other), seed)
    assert result.passed, "\n".join(result.lines())


def test_every_exercise_has_such_an_answer() -> None:
    assert {key for key, _ in OTHERS} == {one.key for one in EXERCISES}

"""An answer to every exercise, with the exercise's signature: the readable reference or the library's own part.

Tests run them through the checker, and properties compare with them. No message shows what they return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tuppence.data.buckets import IGNORED_TARGET
from tuppence.model.attention import causal_mask, explicit_attention
from tuppence.model.config import ModelConfig
from tuppence.model.sampling import Sampling, choose
from tuppence.tasks.dpo import dpo_losses
from tuppence.tasks.ppo.equations import clipped_policy_loss, generalised_advantages
from tuppence.tokenizer.reference import encode_word, merge
from tuppence.training import reference
from tuppence.training.reference import cross_entropy

merge_tokens = merge
__all__ = ["causal_mask", "cross_entropy", "encode_word", "merge_tokens"]


# Chapter 1


def count_parameters(n_layers: int, d_model: int, vocab_size: int, context_length: int) -> int:
    """The number of parameters of a GPT-2 with these sizes."""
    sizes = {"n_layers": n_layers, "d_model": d_model, "vocab_size": vocab_size, "context_length": context_length}
    return ModelConfig(**sizes, n_heads=1).parameter_count()


def training_cost(params: float, tokens: float, tflops: float, mfu: float, usd_per_hour: float) -> float:
    """Dollars for training: 6 FLOPs for each parameter and token."""
    seconds = 6 * params * tokens / (tflops * 1e12 * mfu)
    return seconds / 3600 * usd_per_hour


def grad_by_hand(x: float) -> float:
    """dy/dx of y = x² + 3x + 1."""
    return 2 * x + 3


def knowledge_check(a: Tensor, b: Tensor, row: Tensor, x: float) -> tuple[Tensor, Tensor, float, str]:
    """A product of matrices, a row added to each row, a slope by autograd, and the device."""
    point = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(point**2 + 3 * point + 1, point)
    return a @ b, a + row, slope.item(), "cuda" if torch.cuda.is_available() else "cpu"


# Chapter 2


def windows(ids: Tensor, context_length: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets: rows of the stream, and the same rows one token later. Tokens of no full row are left out."""
    rows = (len(ids) - 1) // context_length
    inputs = ids[: rows * context_length].view(rows, context_length)
    targets = ids[1 : rows * context_length + 1].view(rows, context_length)
    return inputs, targets


# Chapter 3


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """The output of scaled dot-product attention."""
    return explicit_attention(q, k, v, mask)[0]


def multi_head(x: Tensor, w_qkv: Tensor, w_out: Tensor, n_heads: int) -> Tensor:
    """Causal self-attention with several heads, without biases."""
    batch, length, width = x.shape
    q, k, v = (
        part.view(batch, length, n_heads, width // n_heads).transpose(1, 2) for part in (x @ w_qkv.T).chunk(3, dim=-1)
    )
    heads = attention(q, k, v, causal_mask(length, length))
    return heads.transpose(1, 2).reshape(batch, length, width) @ w_out.T


# Chapter 4


def layer_norm(x: Tensor, g: Tensor, b: Tensor, eps: float) -> Tensor:
    """Mean 0 and variance 1 over the last dimension, then a scale and a shift (Ba et al. 2016, arXiv:1607.06450)."""
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred**2).mean(dim=-1, keepdim=True)
    return g * centred / torch.sqrt(variance + eps) + b


def block(x: Tensor, params: Mapping[str, Any]) -> Tensor:
    """A pre-norm transformer block with the names of `model.gpt.Block`'s parameters, and `n_heads`."""

    def linear(x: Tensor, name: str) -> Tensor:
        out: Tensor = x @ params[f"{name}.weight"].T + params[f"{name}.bias"]
        return out

    def norm(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, params[f"{name}.weight"], params[f"{name}.bias"], 1e-5)

    batch, length, width = x.shape
    q, k, v = (
        part.view(batch, length, params["n_heads"], -1).transpose(1, 2)
        for part in linear(norm(x, "attention_norm"), "attention.qkv").chunk(3, dim=-1)
    )
    heads = attention(q, k, v, causal_mask(length, length)).transpose(1, 2).reshape(batch, length, width)
    x = x + linear(heads, "attention.projection")
    return x + linear(F.gelu(linear(norm(x, "mlp_norm"), "mlp.expand"), approximate="tanh"), "mlp.contract")


def sample(logits: Tensor, temperature: float, k: int | None, p: float | None, u: float) -> int:
    """The library's choice of one token."""
    return choose(logits[None], Sampling(temperature=temperature, top_k=k, top_p=p), [u])[0]


# Chapter 5


def adamw_step(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float, beta1: float, beta2: float, eps: float, decay: float
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of AdamW; returns the new parameter and both averages."""
    p, m, v = p.clone(), m.clone(), v.clone()
    reference.adamw_step(p, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, epsilon=eps, weight_decay=decay)
    return p, m, v


def accumulate(losses: Sequence[float], counts: Sequence[int]) -> float:
    """The loss of a target, from the sums of micro-batches."""
    return sum(losses) / sum(counts)


# Chapter 6


def last_token(h: Tensor, lengths: Tensor) -> Tensor:
    """The state of the last real token of each row."""
    return h[torch.arange(len(h)), lengths - 1]


def f1(pred: Sequence[int], true: Sequence[int]) -> float:
    """Macro F1: the mean over the classes of 2 TP / (2 TP + FP + FN)."""
    scores = []
    for label in {*pred, *true}:
        hits = sum(one == other == label for one, other in zip(pred, true, strict=True))
        scores.append(2 * hits / (list(pred).count(label) + list(true).count(label)))
    return sum(scores) / len(scores)


def auc(score: Sequence[float], true: Sequence[int]) -> float:
    """The share of pairs of a positive and a negative that are in order; ties count half."""
    positives = [one for one, label in zip(score, true, strict=True) if label == 1]
    negatives = [one for one, label in zip(score, true, strict=True) if label == 0]
    wins = sum((one > other) + 0.5 * (one == other) for one in positives for other in negatives)
    return wins / (len(positives) * len(negatives))


# Chapter 7


def mask_prompt(ids: Sequence[int], n: int) -> list[int]:
    """The token after each of the ids but the last; -100 where that token belongs to the prompt."""
    return [token if place >= n else IGNORED_TARGET for place, token in enumerate(ids) if place > 0]


def lora_forward(x: Tensor, weight: Tensor, bias: Tensor, a: Tensor, b: Tensor, alpha: float, r: int) -> Tensor:
    """A linear layer with a correction of rank r (Hu et al. 2021, arXiv:2106.09685)."""
    return x @ weight.T + bias + (alpha / r) * (x @ a.T) @ b.T


def merge_lora(weight: Tensor, a: Tensor, b: Tensor, alpha: float, r: int) -> Tensor:
    """The weight with the correction added."""
    return weight + (alpha / r) * b @ a


# Chapter 8


def bradley_terry(chosen: Tensor, rejected: Tensor) -> Tensor:
    """-log σ(chosen - rejected) of each pair (Bradley and Terry 1952)."""
    return -F.logsigmoid(chosen - rejected)


def dpo_loss(pi: tuple[Tensor, Tensor], ref: tuple[Tensor, Tensor], beta: float) -> Tensor:
    """The DPO loss of one pair, from the log-probabilities of the tokens of both answers."""
    policy, before = (torch.stack([one.sum() for one in both])[None] for both in (pi, ref))
    return dpo_losses(policy, before.detach(), beta=beta)[0]


def gae(rewards: Tensor, values: Tensor, gamma: float, lam: float) -> Tensor:
    """The advantages of the tokens of one answer."""
    mask = torch.ones(1, len(rewards), dtype=torch.bool)
    return generalised_advantages(rewards[None], values[None], mask, gamma=gamma, gae_lambda=lam)[0]


def ppo_clip(logp: Tensor, old_logp: Tensor, advantages: Tensor, eps: float) -> Tensor:
    """PPO's clipped loss of each token."""
    return clipped_policy_loss(logp, old_logp, advantages, eps)

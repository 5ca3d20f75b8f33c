"""An answer to every exercise, with the exercise's signature: the readable reference or the library's own part.

Tests run them through the checker, and properties compare with them. No message shows what they return.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuppence.model.attention import causal_mask, explicit_attention
from tuppence.model.config import ModelConfig
from tuppence.tokenizer.reference import encode_word, merge

merge_tokens = merge
__all__ = ["causal_mask", "encode_word", "merge_tokens"]


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

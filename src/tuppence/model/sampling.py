"""`Sampling`, the generation parameters, and `choose`, which draws one token for every sequence from its logits.

The functions are pure. The random numbers are arguments, one for each sequence, so that the tokens of a sequence depend
on its own seed and on nothing else in the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tuppence.core.errors import InputError


@dataclass(frozen=True)
class Sampling:
    """Generation parameters of one prompt, from the command line or a request.

    Attributes:
        temperature: divisor of the logits. Below 1 the distribution is sharper, above 1 flatter; 0 (or below 1e-38)
            always takes the likeliest token.
        top_k: only the k likeliest tokens may be drawn (Fan et al. 2018, arXiv:1805.04833).
        top_p: only the likeliest tokens that together reach this probability (Holtzman et al. 2019,
            arXiv:1904.09751). Applied after `top_k`.
        max_tokens: maximum number of new tokens.
        seed: seed of the draws; None takes fresh randomness. torch's global generator is neither used nor changed.
        stop: strings that end the continuation wherever they appear in it, also across tokens. `model.text` looks for
            them; `model.generate` works on ids and ignores them.

    Raises:
        InputError: a value is out of range, or a stop string is empty.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_tokens: int = 100
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always taken: temperature 0, or too small to divide by in float32."""
        return self.temperature < torch.finfo(torch.float32).tiny

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"temperature {self.temperature} is not a number from 0 up", "0 is greedy, 1 is usual")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"top-k {self.top_k} leaves no token to draw", "give 1 or more, or leave it out")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"top-p {self.top_p} is not in (0, 1]", "0.9 is usual; leave it out for all tokens")
        if self.max_tokens < 0:
            raise InputError(f"max_tokens {self.max_tokens} is negative", "give the number of new tokens wanted")
        if "" in self.stop:
            raise InputError("a stop string is empty", "every text contains it: leave it out")


def choose(logits_BV: Tensor, sampling: Sampling, uniforms_B: list[float]) -> list[int]:
    """Returns one token id for every sequence.

    Args:
        logits_BV: logits of the last position, any float type.
        uniforms_B: one number in [0, 1) for each sequence; unused if sampling is greedy.

    Example:
        >>> logits = torch.tensor([[0.0, 2.0, 1.0]])
        >>> choose(logits, Sampling(temperature=0), [0.99])
        [1]
        >>> [choose(logits, Sampling(), [u])[0] for u in (0.05, 0.5, 0.95)]
        [0, 1, 2]
    """
    if sampling.is_greedy:
        ids: list[int] = logits_BV.argmax(dim=-1).tolist()
        return ids
    return draw(probabilities(logits_BV, sampling), uniforms_B)


def probabilities(logits_BV: Tensor, sampling: Sampling) -> Tensor:
    """Returns the probability of each token, (B, V) in float32: softmax of the kept logits over the temperature.
    Sampling must not be greedy."""  # the largest logit is subtracted before the division, to avoid an overflow
    logits_BV = logits_BV.float()
    logits_BV = (logits_BV - logits_BV.amax(dim=-1, keepdim=True)) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits_BV.shape[-1]:
        weakest_B1 = logits_BV.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits_BV = logits_BV.masked_fill(logits_BV < weakest_B1, -torch.inf)
    probabilities_BV = torch.softmax(logits_BV, dim=-1)
    if sampling.top_p is not None and sampling.top_p < 1:
        probabilities_BV = _nucleus(probabilities_BV, sampling.top_p)
    return probabilities_BV


def _nucleus(probabilities_BV: Tensor, top_p: float) -> Tensor:
    """Keeps the smallest set of likeliest tokens that reaches `top_p`, and at least one token."""
    sorted_BV, order_BV = probabilities_BV.sort(dim=-1, descending=True)
    before_BV = sorted_BV.cumsum(dim=-1) - sorted_BV  # total probability of the likelier tokens
    kept_BV = torch.zeros_like(sorted_BV).scatter(-1, order_BV, sorted_BV.where(before_BV < top_p, 0.0))
    return kept_BV / kept_BV.sum(dim=-1, keepdim=True)


def draw(probabilities_BV: Tensor, uniforms_B: list[float]) -> list[int]:
    """Draws one token for each uniform number by inverse transform sampling.

    The last cumulative value is exactly 1 after the division, and every uniform number is below 1. So there is always
    a token, and its probability is never zero.
    """
    cumulative_BV = probabilities_BV.double().cumsum(dim=-1)
    cumulative_BV = cumulative_BV / cumulative_BV[:, -1:]
    uniforms_B1 = torch.tensor(uniforms_B, dtype=torch.float64, device=cumulative_BV.device)[:, None]
    ids: list[int] = torch.searchsorted(cumulative_BV, uniforms_B1, right=True)[:, 0].tolist()
    return ids

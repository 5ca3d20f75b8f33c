"""Measures of degenerate text: length, repetition, and perplexity under the base.

A reward model can give high scores to text unlike its training data. These numbers are therefore reported with the
reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuppence.tasks.ppo.answers import Answer
from tuppence.tasks.ppo.rollout import Judged


@dataclass(frozen=True)
class Quality:
    """Measures of each answer, (R,).

    Attributes:
        scores: raw scores of the reward model.
        kl: Σ log(π / π_base) over the tokens, in nats.
        entropy: mean entropy of the policy over the tokens, in nats.
        answer_tokens: number of tokens, the end of text included.
        finished: 1 if the answer has an end of text, else 0.
        repeated_4grams: share of the 4-grams that occur earlier in the answer; 0 if it is shorter than that.
        base_loss: mean of -log π_base over the tokens, in nats; its exponential is the perplexity under the base.
    """

    scores: Tensor
    kl: Tensor
    entropy: Tensor
    answer_tokens: Tensor
    finished: Tensor
    repeated_4grams: Tensor
    base_loss: Tensor


def answer_quality(answers: Sequence[Answer], judged: Judged) -> Quality:
    """Computes the measures of answers."""
    lengths_R = judged.mask.sum(dim=1).float()
    repeated = [1 - distinct([answer.ids], 4) for answer in answers]
    return Quality(
        scores=judged.scores,
        kl=judged.kl,
        entropy=judged.entropies.sum(dim=1) / lengths_R,
        answer_tokens=lengths_R,
        finished=judged.finished.float(),
        repeated_4grams=torch.tensor(repeated, device=lengths_R.device),
        base_loss=-judged.reference.sum(dim=1) / lengths_R,
    )


def distinct(texts: Sequence[Sequence[int]], size: int) -> float:
    """Number of distinct n-grams, divided by the number of n-grams (Li et al. 2016, arXiv:1510.03055); 1 if none.

    It is low for a text with repetitions, and for texts that are alike.

    Example:
        >>> distinct([[1, 2, 1, 2]], 2), distinct([[1, 2], [1, 2]], 2), distinct([[1]], 2)
        (0.6666666666666666, 0.5, 1.0)
    """
    grams = [tuple(text[start : start + size]) for text in texts for start in range(len(text) - size + 1)]
    return len(set(grams)) / len(grams) if grams else 1.0

"""What shows that a reward was gained by degenerate text: length, repetition, and what the base thinks of the answers.

A reward model is easily fooled by what it has never seen. An honest report puts these numbers beside the reward.
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
    """Of each answer, (R,).

    Attributes:
        scores: the reward model's, as it gives them.
        kl: Σ log(π / π_base) over its tokens, in nats.
        entropy: of the policy's distributions, mean over its tokens, in nats.
        answer_tokens: its length, the end of text included.
        finished: 1 where it has its end of text.
        repeated_4grams: the share of its 4-grams that stood in it before; 0 where it is shorter.
        base_loss: mean over its tokens of -log π_base, in nats; the exponential is the base's perplexity.
    """

    scores: Tensor
    kl: Tensor
    entropy: Tensor
    answer_tokens: Tensor
    finished: Tensor
    repeated_4grams: Tensor
    base_loss: Tensor


def answer_quality(answers: Sequence[Answer], judged: Judged) -> Quality:
    """Measures answers that were judged."""
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
    """Different n-grams over all n-grams of all texts (Li et al. 2016, arXiv:1510.03055); 1 where there is none.

    Over one text it falls where that repeats itself, over many where they say the same.

    Example:
        >>> distinct([[1, 2, 1, 2]], 2), distinct([[1, 2], [1, 2]], 2), distinct([[1]], 2)
        (0.6666666666666666, 0.5, 1.0)
    """
    grams = [tuple(text[start : start + size]) for text in texts for start in range(len(text) - size + 1)]
    return len(set(grams)) / len(grams) if grams else 1.0

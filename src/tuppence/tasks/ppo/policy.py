"""The policy with its value function, and the log-probabilities of tokens.

Policy and value share the body: a linear layer reads off the final hidden state how good the answer is expected to
become. Logits are computed in float32 whatever autocast says: PPO compares probabilities of the same token before and
after a small step, and rounding of a logit to bfloat16 (1 part in 256) is as large as such a step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuppence.data.buckets import IGNORED_TARGET
from tuppence.model.gpt import GPT
from tuppence.model.lora import merge_lora, unmerge_lora


@dataclass(frozen=True)
class TokenStatistics:
    """Of each of N targets, one after the other, in float32.

    Attributes:
        log_probabilities: log π(target), (N,).
        entropies: of the distribution that the target was drawn from, in nats, (N,); without gradient.
        hidden: the state before the target, (N, D).
    """

    log_probabilities: Tensor
    entropies: Tensor
    hidden: Tensor


class PolicyWithValue(nn.Module):
    """A GPT that writes, and a linear layer that expects.

    The value begins at zero everywhere, which is what it should be before anything is known.

    Args:
        gpt: the policy, with or without adapters; must be free of dropout.
    """

    def __init__(self, gpt: GPT) -> None:
        super().__init__()
        self.gpt = gpt
        weight = gpt.token_embedding.weight
        self.value = nn.Linear(weight.shape[1], 1, device=weight.device)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> tuple[TokenStatistics, Tensor]:
        """The policy's statistics of every target, and the value before each, (N,) in float32."""
        statistics = token_statistics(self.gpt, tokens_BT, targets_BT)
        with torch.autocast(tokens_BT.device.type, enabled=False):
            values_N = self.value(statistics.hidden)[:, 0]
        return statistics, values_N


def token_statistics(gpt: GPT, tokens_BT: Tensor, targets_BT: Tensor) -> TokenStatistics:
    """What a model says of given targets; positions that are no target (-100) never reach the head."""
    at_BT = targets_BT != IGNORED_TARGET
    hidden_ND = gpt.hidden(tokens_BT)[at_BT].float()
    with torch.autocast(tokens_BT.device.type, enabled=False):
        scores_NV = F.log_softmax(F.linear(hidden_ND, gpt.token_embedding.weight.float()), dim=-1)
    chosen_N = scores_NV.gather(1, targets_BT[at_BT][:, None])[:, 0]
    with torch.no_grad():
        entropies_N = -(scores_NV.exp() * scores_NV).sum(dim=-1)
    return TokenStatistics(chosen_N, entropies_N, hidden_ND)


@contextlib.contextmanager
def merged(gpt: GPT) -> Iterator[GPT]:
    """The model with its adapters added in, while the block lasts: writing an answer reads every matrix a hundred
    times, and one matrix is faster than three. Afterwards the weights are what they were, to the bit."""
    try:
        merge_lora(gpt)
        yield gpt
    finally:
        unmerge_lora(gpt)

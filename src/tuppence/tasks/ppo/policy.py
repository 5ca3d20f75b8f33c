"""The policy with its value function, and the log-probabilities of tokens.

Policy and value function share the transformer; a linear layer computes the value from the final hidden state. Logits
are float32 also under autocast: PPO compares probabilities of a token before and after a small update, and rounding a
logit to bfloat16 (1 part in 256) changes it as much as such an update.
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
    """Statistics of N targets, in order, in float32.

    Attributes:
        log_probabilities: log π(target), (N,).
        entropies: of the distribution of the target, in nats, (N,); without gradient.
        hidden: the final hidden state that predicts the target, (N, D).
    """

    log_probabilities: Tensor
    entropies: Tensor
    hidden: Tensor


class PolicyWithValue(nn.Module):
    """A GPT as the policy, with a linear value head. The value is zero at the start.

    Args:
        gpt: the policy, with or without adapters, and without dropout.
    """

    def __init__(self, gpt: GPT) -> None:
        super().__init__()
        self.gpt = gpt
        weight = gpt.token_embedding.weight
        self.value = nn.Linear(weight.shape[1], 1, device=weight.device)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> tuple[TokenStatistics, Tensor]:
        """The statistics of every target, and the value before each, (N,), float32."""
        statistics = token_statistics(self.gpt, tokens_BT, targets_BT)
        with torch.autocast(tokens_BT.device.type, enabled=False):
            values_N = self.value(statistics.hidden)[:, 0]
        return statistics, values_N


def token_statistics(gpt: GPT, tokens_BT: Tensor, targets_BT: Tensor) -> TokenStatistics:
    """The statistics of given targets. Logits are computed for targets only, not for positions of -100."""
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
    """Merges the adapters inside the block, because generation with one matrix is faster than with three. After it the
    weights have the same bits as before."""
    try:
        merge_lora(gpt)
        yield gpt
    finally:
        unmerge_lora(gpt)

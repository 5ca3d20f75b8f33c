"""A prompt and several answers in one row, so that the shared prompt is computed once.

Alignment compares two answers to the same prompt. In two rows the prompt is computed twice; in one row of branches

    token       p0  p1  p2  c0  c1  r0  r1  r2   ·
    branch       0   0   0   1   1   2   2   2  -1       0: the prompt, 1 and 2: the answers, -1: padding
    position     0   1   2   3   4   3   4   5   0

every token attends to the prompt and its own branch, and has the position that it would have in a separate row. The
results equal those of two rows. On the instructions of chapter 8, this saves a third of the tokens (benchmarks/LOG.md,
"Preferences").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tuppence.model.gpt import GPT
from tuppence.model.loss import token_log_probabilities_and_entropies

PADDING, PROMPT, ANSWERS = -1, 0, (1, 2)


class Branches:
    """The layout of a call on rows of branches, passed to `GPT.hidden` instead of a cache. It stores no keys or values.

    Args:
        branches_BT: the branch of every token, int64; each row begins with at least one token of the prompt.

    Example:
        >>> layout = Branches(torch.tensor([[0, 0, 1, 2, 2, -1]]))
        >>> layout.positions_BT.tolist(), layout.predictors_BT[:, 2:5].tolist()
        ([[0, 1, 2, 2, 3, 0]], [[1, 1, 3]])
    """

    is_causal = False

    def __init__(self, branches_BT: Tensor) -> None:
        index_T = torch.arange(branches_BT.shape[1], device=branches_BT.device)
        query_BT1, source_B1T = branches_BT[:, :, None], branches_BT[:, None, :]
        shared_BTT = ((source_B1T == PROMPT) | (source_B1T == query_BT1)) & (query_BT1 != PADDING)
        earlier_TT = index_T <= index_T[:, None]
        itself_TT = index_T == index_T[:, None]  # padding attends to itself, to avoid NaN
        mask_BTT = (shared_BTT & earlier_TT) | itself_TT
        self.branches_BT = branches_BT
        self.mask: Tensor | None = mask_BTT[:, None]
        self.positions_BT = mask_BTT.sum(dim=-1) - 1

    def advance(self, tokens: int) -> None:
        """No-op: there are no previous tokens."""

    def extend(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the keys and values of this call unchanged."""
        return k_BHTK, v_BHTK

    @property
    def predictors_BT(self) -> Tensor:
        """For each token of an answer, the index of the previous token in its branch, or of the prompt's last token."""
        before_BT = torch.arange(self.branches_BT.shape[1], device=self.branches_BT.device) - 1
        begins_BT = self.branches_BT != self.branches_BT.roll(1, dims=1)
        prompt_end_B1 = (self.branches_BT == PROMPT).sum(dim=1, keepdim=True) - 1
        return torch.where(begins_BT, prompt_end_B1, before_BT).clamp(min=0)

    def ends(self, branches: Sequence[int]) -> Tensor:
        """Index of the last token of each branch in each row, (B, len(branches)); the prompt's for an empty branch."""
        index_T = torch.arange(self.branches_BT.shape[1], device=self.branches_BT.device)
        seen_BNT = torch.stack([(self.branches_BT == PROMPT) | (self.branches_BT == one) for one in branches], dim=1)
        return torch.where(seen_BNT, index_T, -1).amax(dim=-1)


def branch_log_probabilities(model: GPT, tokens_BT: Tensor, branches_BT: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probability of both answers after their prompt: Σ log p(token | prompt and the answer's earlier tokens).

    The head is applied only to the answers' tokens.

    Args:
        tokens_BT, branches_BT: int64; see above.

    Returns:
        Log-probabilities of the branches 1 and 2, (B, 2), in nats, float32; and the mean entropy over the answers'
        tokens of each row, (B), without gradient.
    """
    layout = Branches(branches_BT)
    hidden_BTD = model.hidden(tokens_BT, layout)
    answer_BT = branches_BT > PROMPT
    rows_B1 = torch.arange(len(tokens_BT), device=tokens_BT.device)[:, None] * tokens_BT.shape[1]
    predicted_from_N = (layout.predictors_BT + rows_B1)[answer_BT]
    scores_N, entropies_N = token_log_probabilities_and_entropies(
        hidden_BTD.flatten(0, 1)[predicted_from_N], model.token_embedding.weight, tokens_BT[answer_BT]
    )
    scores_BT, entropies_BT = (
        torch.zeros(answer_BT.shape, device=answer_BT.device).masked_scatter(answer_BT, values_N)
        for values_N in (scores_N, entropies_N)
    )
    summed = torch.stack([(scores_BT * (branches_BT == one)).sum(dim=1) for one in ANSWERS], dim=1)
    return summed, entropies_BT.sum(dim=1) / answer_BT.sum(dim=1).clamp(min=1)

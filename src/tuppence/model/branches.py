"""A prompt and several answers, read as one row: the shared prompt is computed once.

Alignment compares two answers to the same prompt. As two rows the prompt is computed twice; as one row of branches

    token       p0  p1  p2  c0  c1  r0  r1  r2   ·
    branch       0   0   0   1   1   2   2   2  -1       0: the prompt, 1 and 2: the answers, -1: padding
    position     0   1   2   3   4   3   4   5   0

every token attends to the prompt and its own branch, at the position it would have in a row of its own: the results are
those of two rows. On the instructions of chapter 8 that is a third fewer tokens (benchmarks/LOG.md, "Preferences").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tuppence.model.gpt import GPT
from tuppence.model.loss import token_log_probabilities_and_entropies

PADDING, PROMPT = -1, 0


class Branches:
    """The layout of a call on rows of branches, for `GPT.hidden` in the place of a cache. Keeps nothing.

    Args:
        branches_BT: the branch of every token, int64; the prompt first, in each row at least one token of it.

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
        itself_TT = index_T == index_T[:, None]  # padding sees itself: a query that sees nothing would be NaN
        mask_BTT = (shared_BTT & earlier_TT) | itself_TT
        self.branches_BT = branches_BT
        self.mask: Tensor | None = mask_BTT[:, None]
        self.positions_BT = mask_BTT.sum(dim=-1) - 1

    def advance(self, tokens: int) -> None:
        """Nothing comes before this call."""

    def extend(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """There are no other keys and values than this call's."""
        return k_BHTK, v_BHTK

    @property
    def predictors_BT(self) -> Tensor:
        """For each answer's token the one it is predicted from: that before it in its branch, or the prompt's last."""
        before_BT = torch.arange(self.branches_BT.shape[1], device=self.branches_BT.device) - 1
        begins_BT = self.branches_BT != self.branches_BT.roll(1, dims=1)
        prompt_end_B1 = (self.branches_BT == PROMPT).sum(dim=1, keepdim=True) - 1
        return torch.where(begins_BT, prompt_end_B1, before_BT).clamp(min=0)

    def ends(self, branches: Sequence[int]) -> Tensor:
        """Where each of `branches` ends in each row, (B, len(branches)); an empty one where the prompt does."""
        index_T = torch.arange(self.branches_BT.shape[1], device=self.branches_BT.device)
        seen_BNT = torch.stack([(self.branches_BT == PROMPT) | (self.branches_BT == one) for one in branches], dim=1)
        return torch.where(seen_BNT, index_T, -1).amax(dim=-1)


def branch_log_probabilities(
    model: GPT, tokens_BT: Tensor, branches_BT: Tensor, branches: Sequence[int] = (1, 2)
) -> tuple[Tensor, Tensor]:
    """The log-probability of each answer after its prompt: Σ log p(token | prompt and what the answer has so far).

    Only the answers' tokens go through the head.

    Args:
        tokens_BT, branches_BT: int64; see above.
        branches: which answers.

    Returns:
        (B, len(branches)), in nats, float32; and, without gradient, the mean entropy at the answers' tokens of a row,
        (B).
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
    summed = torch.stack([(scores_BT * (branches_BT == one)).sum(dim=1) for one in branches], dim=1)
    return summed, entropies_BT.sum(dim=1) / answer_BT.sum(dim=1).clamp(min=1)

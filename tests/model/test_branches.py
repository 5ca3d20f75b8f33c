"""Rows of branches compared with the same texts in separate rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tuppence.model.branches import Branches, branch_log_probabilities
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT

PROMPTS = ([3, 1, 4], [1, 5, 9, 2, 6])
CHOSEN = ([5, 3, 5], [8])
REJECTED = ([9, 7], [9, 3, 2, 3])
TOKENS = torch.tensor([[3, 1, 4, 5, 3, 5, 9, 7, 0, 0], [1, 5, 9, 2, 6, 8, 9, 3, 2, 3]])
BRANCHES = torch.tensor([[0, 0, 0, 1, 1, 1, 2, 2, -1, -1], [0, 0, 0, 0, 0, 1, 2, 2, 2, 2]])


def alone(model: GPT, prompt: list[int], answer: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The definition: log-probability of an answer and the entropies at its tokens, from all logits of one row."""
    log_p_TV = model(torch.tensor([prompt + answer]))[0].log_softmax(-1)[len(prompt) - 1 : -1]
    entropies = torch.distributions.Categorical(logits=log_p_TV).entropy()
    return log_p_TV[torch.arange(len(answer)), answer].sum(), entropies


@pytest.mark.parametrize("attention", ["sdpa", "explicit"])
def test_a_branch_has_the_hidden_states_of_a_row_of_its_own(
    lively: Callable[..., GPT], small_config: ModelConfig, attention: str
) -> None:
    model = lively(small_config, attention=attention)
    hidden_BTD = model.hidden(TOKENS, Branches(BRANCHES))
    for row in range(2):
        for branch, answers in ((1, CHOSEN), (2, REJECTED)):
            expected_TD = model.hidden(torch.tensor([PROMPTS[row] + answers[row]]))[0]
            seen_T = (BRANCHES[row] == 0) | (BRANCHES[row] == branch)
            torch.testing.assert_close(hidden_BTD[row][seen_T], expected_TD, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("recompute", [False, True])
def test_log_probabilities_and_gradients_are_those_of_separate_rows(
    lively: Callable[..., GPT], small_config: ModelConfig, recompute: bool
) -> None:
    model = lively(small_config, activation_checkpointing=recompute).train()
    got_B2, entropies_B = branch_log_probabilities(model, TOKENS, BRANCHES)
    rows = [[alone(model, p, c), alone(model, p, r)] for p, c, r in zip(PROMPTS, CHOSEN, REJECTED, strict=True)]
    expected_B2 = torch.stack([torch.stack([score for score, _ in row]) for row in rows])
    torch.testing.assert_close(got_B2, expected_B2)
    torch.testing.assert_close(entropies_B, torch.stack([torch.cat([e for _, e in row]).mean() for row in rows]))
    weights_B2 = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad((got_B2 * weights_B2).sum(), parameters),
        torch.autograd.grad((expected_B2 * weights_B2).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_a_row_may_be_longer_than_the_context_where_no_branch_is(
    lively: Callable[..., GPT], small_config: ModelConfig
) -> None:
    model = lively(small_config)
    prompt, chosen, rejected = [7] * 20, [5] * 12, [6] * 12  # 44 tokens in all, 32 to the end of either
    tokens = torch.tensor([prompt + chosen + rejected])
    branches = torch.tensor([[0] * 20 + [1] * 12 + [2] * 12])
    got_B2, _ = branch_log_probabilities(model, tokens, branches)
    expected = [alone(model, prompt, answer)[0] for answer in (chosen, rejected)]
    torch.testing.assert_close(got_B2[0], torch.stack(expected))


def test_an_empty_branch_ends_where_the_prompt_does() -> None:
    layout = Branches(torch.tensor([[0, 0, 0, 2, 2], [0, 1, 1, 1, -1]]))
    assert layout.ends((1, 2)).tolist() == [[2, 4], [3, 0]]


def test_padding_changes_nothing_and_is_finite(lively: Callable[..., GPT], small_config: ModelConfig) -> None:
    model = lively(small_config)
    wide = torch.nn.functional.pad(TOKENS, (0, 6), value=60), torch.nn.functional.pad(BRANCHES, (0, 6), value=-1)
    assert model.hidden(wide[0], Branches(wide[1])).isfinite().all()
    torch.testing.assert_close(
        branch_log_probabilities(model, *wide)[0], branch_log_probabilities(model, TOKENS, BRANCHES)[0]
    )

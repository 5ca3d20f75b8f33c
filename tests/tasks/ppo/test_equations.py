from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuppence.tasks.ppo.equations import (
    clipped_policy_loss,
    clipped_value_loss,
    generalised_advantages,
    next_kl_coefficient,
    token_rewards,
    whiten,
)


def answers(seed: int, rows: int = 5, columns: int = 9) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random rewards and values, and a mask with one answer of random place and length in each row."""
    random = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, rows, columns, generator=random, dtype=torch.float64)
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    for row in range(rows):
        first = int(torch.randint(0, columns, (), generator=random))
        last = int(torch.randint(first, columns, (), generator=random))
        mask[row, first : last + 1] = True
    return rewards * mask, values, mask


@given(seed=st.integers(0, 10_000), gamma=st.floats(0.5, 1.0), gae_lambda=st.floats(0.0, 1.0))
def test_advantages_are_the_discounted_sum_of_temporal_differences(seed: int, gamma: float, gae_lambda: float) -> None:
    rewards, values, mask = answers(seed)
    found = generalised_advantages(rewards, values, mask, gamma=gamma, gae_lambda=gae_lambda)
    for row in range(len(rewards)):
        columns = mask[row].nonzero()[:, 0].tolist()
        for start in range(len(columns)):  # equation 16 of the paper, summed out
            expected = 0.0
            for place in range(start, len(columns)):
                now = columns[place]
                following = float(values[row, columns[place + 1]]) if place + 1 < len(columns) else 0.0
                difference = float(rewards[row, now]) + gamma * following - float(values[row, now])
                expected += (gamma * gae_lambda) ** (place - start) * difference
            assert float(found[row, columns[start]]) == pytest.approx(expected, abs=1e-9)
    assert not found[~mask].any()


def test_with_lambda_1_advantage_plus_value_is_the_sum_of_the_remaining_rewards() -> None:
    rewards, values, mask = answers(3)
    found = generalised_advantages(rewards, values, mask, gamma=1.0, gae_lambda=1.0)
    rest = rewards.flip(1).cumsum(1).flip(1)
    assert torch.allclose((found + values)[mask], rest[mask])


def test_rewards_of_an_answer_sum_to_its_score_minus_beta_times_its_log_ratios() -> None:
    _, log_ratios, mask = answers(4)
    scores = torch.arange(5, dtype=torch.float64)
    rewards = token_rewards(scores, log_ratios, mask, kl_coefficient=0.3)
    assert torch.allclose(rewards.sum(1), scores - 0.3 * (log_ratios * mask).sum(1))
    last = [int(row.nonzero()[-1]) for row in mask]
    others = rewards.clone()
    others[range(5), last] -= scores
    assert torch.allclose(others, -0.3 * log_ratios * mask)  # the score is added at the last token only


def test_whitened_values_have_mean_zero_and_variance_one_under_the_mask_alone() -> None:
    values, _, mask = answers(5)
    found = whiten(7 * values + 3 + 1e6 * ~mask, mask)
    assert float(found[mask].mean()) == pytest.approx(0, abs=1e-9)
    assert float(found[mask].var()) == pytest.approx(1, abs=1e-6)
    assert not found[~mask].any()
    one = torch.tensor([[True, False]])
    assert whiten(torch.tensor([[5.0, 1.0]]), one).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss"),
    [
        (1.0, 2.0, -2.0),
        (1.5, 2.0, -2.4),  # likelier than 1 + ε: the gain is clipped
        (0.5, 2.0, -1.0),  # less likely though good: not clipped, it is to come back
        (1.5, -2.0, 3.0),  # likelier though bad: not clipped
        (0.5, -2.0, 1.6),  # less likely than 1 - ε: the gain is clipped
    ],
)
def test_the_policy_loss_is_the_paper_s_in_all_five_cases(ratio: float, advantage: float, loss: float) -> None:
    found = clipped_policy_loss(torch.tensor([math.log(ratio)]), torch.zeros(1), torch.tensor([advantage]), clip=0.2)
    assert float(found) == pytest.approx(loss, abs=1e-6)


def test_where_the_gain_is_clipped_there_is_no_gradient() -> None:
    log_ratios = torch.tensor([1.5, 0.5, 1.5, 0.5]).log().requires_grad_()
    advantages = torch.tensor([2.0, 2.0, -2.0, -2.0])
    clipped_policy_loss(log_ratios, torch.zeros(4), advantages, clip=0.2).sum().backward()
    assert log_ratios.grad is not None
    assert (log_ratios.grad != 0).tolist() == [False, True, True, False]


def test_at_ratio_one_the_gradient_is_the_policy_gradient() -> None:
    log_probabilities = torch.randn(6, generator=torch.Generator().manual_seed(1)).requires_grad_()
    advantages = torch.randn(6, generator=torch.Generator().manual_seed(2))
    clipped_policy_loss(log_probabilities, log_probabilities.detach(), advantages, clip=0.2).sum().backward()
    assert log_probabilities.grad is not None
    assert torch.allclose(log_probabilities.grad, -advantages)


def test_the_value_loss_takes_the_worse_of_the_value_and_the_clipped_value() -> None:
    old, returns = torch.zeros(3), torch.tensor([1.0, 1.0, -1.0])
    values = torch.tensor([0.1, 0.5, 0.5])
    found = clipped_value_loss(values, old, returns, clip=0.2)
    # 0.1 is within the clip; 0.5 counts as 0.2; moved the wrong way it counts in full
    assert torch.allclose(found, torch.tensor([0.5 * 0.9**2, 0.5 * 0.8**2, 0.5 * 1.5**2]))


def test_beta_follows_the_kl_by_at_most_a_fifth_of_the_gain_per_rollout() -> None:
    assert next_kl_coefficient(0.1, kl=6.0, target=6.0, gain=0.5) == pytest.approx(0.1)
    assert next_kl_coefficient(0.1, kl=6.6, target=6.0, gain=0.5) == pytest.approx(0.105)
    assert next_kl_coefficient(0.1, kl=600.0, target=6.0, gain=0.5) == pytest.approx(0.11)
    assert next_kl_coefficient(0.1, kl=-3.0, target=6.0, gain=0.5) == pytest.approx(0.09)  # an estimate can be negative

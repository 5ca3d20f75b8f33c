"""The mathematics of PPO on answers, as pure functions: advantages, clipped losses, the controller of the KL penalty.

An answer is a trajectory, and each of its tokens is an action. Rows of a matrix are answers, columns are tokens, and
the mask is true at tokens of the answer. Shape suffixes: B rows, T columns, N tokens under the mask, in order.
"""

from __future__ import annotations

import torch
from torch import Tensor

LARGEST_ERROR = 0.2
"""Ziegler et al. clip the relative error of the controller to this, so that one unusual rollout has little effect."""


def token_rewards(scores_B: Tensor, log_ratios_BT: Tensor, mask_BT: Tensor, kl_coefficient: float) -> Tensor:
    """The reward of each token, (B, T): -β · log(π / π_ref), plus the score at the last token of the answer.

    The sum over an answer is its score minus β times an unbiased estimate of KL(π ‖ π_ref) (Stiennon et al. 2020,
    arXiv:2009.01325, section 3.4).

    Args:
        scores_B: the score of each answer.
        log_ratios_BT: log π(token) - log π_ref(token).

    Example:
        >>> answer = torch.tensor([[False, True, True]])
        >>> token_rewards(torch.tensor([1.0]), torch.tensor([[9.0, 0.5, 0.0]]), answer, kl_coefficient=0.1)
        tensor([[ 0.0000, -0.0500,  1.0000]])
    """
    columns_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    last_BT = mask_BT & (columns_T == (mask_BT * columns_T).amax(dim=1, keepdim=True))
    return torch.where(mask_BT, -kl_coefficient * log_ratios_BT, 0.0) + last_BT * scores_B[:, None]


def generalised_advantages(
    rewards_BT: Tensor, values_BT: Tensor, mask_BT: Tensor, *, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalised advantage estimation, (B, T); zero outside the mask.

        δ_t = r_t + γ V_{t+1} - V_t          A_t = δ_t + γ λ A_{t+1}

    (Schulman et al. 2015, arXiv:1506.02438, equation 16). V is 0 after the last token of an answer, also if the answer
    was cut off, because the score is of the answer as it is. The targets of the value function are A + V.

    Args:
        rewards_BT: the reward of each token.
        values_BT: the value *before* each token.
        gamma: γ; 1 for answers.
        gae_lambda: λ; 1 gives the plain return (no bias, high variance), 0 the one-step temporal difference.

    Example:
        >>> ones = torch.ones(1, 2)
        >>> generalised_advantages(ones, torch.zeros(1, 2), ones.bool(), gamma=1.0, gae_lambda=1.0)
        tensor([[2., 1.]])
    """
    advantages_BT = torch.zeros_like(rewards_BT)
    next_value_B = next_advantage_B = torch.zeros_like(rewards_BT[:, 0])
    for column in reversed(range(rewards_BT.shape[1])):
        delta_B = rewards_BT[:, column] + gamma * next_value_B - values_BT[:, column]
        next_advantage_B = (delta_B + gamma * gae_lambda * next_advantage_B) * mask_BT[:, column]
        next_value_B = values_BT[:, column] * mask_BT[:, column]
        advantages_BT[:, column] = next_advantage_B
    return advantages_BT


def whiten(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Shifts and scales the values under the mask to mean 0 and variance 1; zero elsewhere.

    The size of an update then does not depend on the scale of the reward.
    """
    inside_N = values_BT[mask_BT]
    deviation = inside_N.std() if len(inside_N) > 1 else torch.ones((), device=values_BT.device)
    return torch.where(mask_BT, (values_BT - inside_N.mean()) / (deviation + 1e-8), 0.0)


def clipped_policy_loss(log_probabilities_N: Tensor, old_N: Tensor, advantages_N: Tensor, clip: float) -> Tensor:
    """-min(ρ A, clip(ρ, 1 - ε, 1 + ε) A) of each token, with ρ = π / π_old (Schulman et al. 2017, equation 7).

    A token whose probability has risen by more than ε has no gradient that raises it further (arXiv:1707.06347); the
    minimum keeps the gradient that lowers it.

    Args:
        old_N: log-probabilities under the policy that generated the answers.
        clip: ε.

    Example:
        >>> log_two = torch.tensor([2.0]).log()
        >>> clipped_policy_loss(log_two, torch.zeros(1), torch.ones(1), clip=0.2)
        tensor([-1.2000])
        >>> clipped_policy_loss(log_two, torch.zeros(1), -torch.ones(1), clip=0.2)
        tensor([2.])
    """
    ratios_N = torch.exp(log_probabilities_N - old_N)
    clipped_N = ratios_N.clamp(1 - clip, 1 + clip)
    return torch.maximum(-advantages_N * ratios_N, -advantages_N * clipped_N)


def clipped_value_loss(values_N: Tensor, old_N: Tensor, returns_N: Tensor, clip: float) -> Tensor:
    """½ max((V - R)², (V_clipped - R)²) of each token. V_clipped is within `clip` of the value at the rollout.

    It is not in the paper, but in OpenAI's code and in later PPO on language models (Ziegler et al. 2019).

    Example:
        >>> clipped_value_loss(torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([1.0]), clip=0.2)
        tensor([0.3200])
    """
    clipped_N = old_N + (values_N - old_N).clamp(-clip, clip)
    return 0.5 * torch.maximum((values_N - returns_N) ** 2, (clipped_N - returns_N) ** 2)


def next_kl_coefficient(coefficient: float, kl: float, target: float, gain: float) -> float:
    """β of the next rollout: larger if the KL divergence from the reference is above the target, else smaller.

        β ← β (1 + gain · clip(kl / target - 1, ±0.2))

    (Ziegler et al. 2019, arXiv:1909.08593, section 2.2.)

    Args:
        kl: of the last rollout, in nats per answer.
        target: the wanted KL, in nats per answer.

    Example:
        >>> next_kl_coefficient(0.1, kl=12.0, target=6.0, gain=0.5)
        0.11000000000000001
    """
    error = min(max(kl / target - 1, -LARGEST_ERROR), LARGEST_ERROR)
    return coefficient * (1 + gain * error)

"""Each usual wrong answer of chapter 8 is caught by the property it breaks."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.exercises.grading import Function, assert_caught
from tuppence.exercises import answers


def sigmoid_without_log(chosen, rejected):
    return 1 - torch.sigmoid(chosen - rejected)


def other_sign(chosen, rejected):
    return -F.logsigmoid(rejected - chosen)


def rewards_apart(chosen, rejected):
    return -F.logsigmoid(chosen - rejected) * (
        1 + (chosen + rejected - chosen - rejected) + 0.01 * (chosen - rejected) * chosen
    )


def log_of_sigmoid(chosen, rejected):
    return -torch.log(torch.sigmoid(chosen - rejected))


def half_the_margin(chosen, rejected):
    return -F.logsigmoid((chosen - rejected) / 2)


def dpo(pi, ref, beta, *, add=torch.sum, sign=1, outside=1.0, detach=True):
    chosen, rejected = (add(one) - add(other.detach() if detach else other) for one, other in zip(pi, ref, strict=True))
    return -outside * F.logsigmoid(sign * beta * (chosen - rejected))


def mean_of_tokens(pi, ref, beta):
    return dpo(pi, ref, beta, add=torch.mean)


def dpo_other_sign(pi, ref, beta):
    return dpo(pi, ref, beta, sign=-1)


def beta_outside(pi, ref, beta):
    return dpo(pi, ref, 1.0, outside=beta)


def reference_not_detached(pi, ref, beta):
    return dpo(pi, ref, beta, detach=False)


def beta_forgotten(pi, ref, beta):
    return dpo(pi, ref, 1.0)


def without_reference(pi, ref, beta):
    return dpo(pi, (0 * ref[0], 0 * ref[1]), beta)


def gae_by(rewards, values, gamma, lam, *, behind=0.0, forward=False, weight=None):
    following = torch.cat([values[1:], torch.full((1,), float(behind))])
    deltas = rewards + gamma * following - values
    weight = gamma * lam if weight is None else weight
    advantages, after = torch.zeros_like(deltas), torch.tensor(0.0)
    for place in range(len(deltas)) if forward else reversed(range(len(deltas))):
        after = deltas[place] + weight * after
        advantages[place] = after
    return advantages


def forward_loop(*arguments):
    return gae_by(*arguments, forward=True)


def bootstrap_behind_the_end(rewards, values, gamma, lam):
    return gae_by(rewards, values, gamma, lam, behind=values[-1])


def wraps_around(rewards, values, gamma, lam):
    return gae_by(rewards, values, gamma, lam, behind=values[0] if len(values) > 1 else 0)


def lambda_alone(rewards, values, gamma, lam):
    return gae_by(rewards, values, gamma, lam, weight=lam)


def lambda_squared(rewards, values, gamma, lam):
    return gae_by(rewards, values, gamma, lam, weight=gamma * lam**2)


def ppo(logp, old, advantages, eps, choose):
    ratio = torch.exp(logp - old)
    return -choose(ratio * advantages, ratio.clamp(1 - eps, 1 + eps) * advantages)


def max_for_min(*arguments):
    return ppo(*arguments, torch.maximum)


def both_sides_clipped(*arguments):
    return ppo(*arguments, lambda free, clipped: clipped)


def never_clipped(*arguments):
    return ppo(*arguments, lambda free, clipped: free)


def ppo_other_sign(*arguments):
    return -ppo(*arguments, torch.minimum)


def difference_for_ratio(logp, old, advantages, eps):
    return -(logp - old) * advantages


def other_range(logp, old, advantages, eps):
    return ppo(logp, old, advantages, eps / 2, torch.minimum)


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("bradley_terry", sigmoid_without_log, "with equal rewards the loss is ln 2"),
        ("bradley_terry", rewards_apart, "a number added to all rewards"),
        ("bradley_terry", other_sign, "a higher reward of the chosen answer"),
        ("bradley_terry", log_of_sigmoid, "rewards that are far apart"),
        ("bradley_terry", half_the_margin, "it is the reference's loss"),
        ("dpo_loss", beta_outside, "at the start, when the policy is the reference"),
        ("dpo_loss", without_reference, "at the start, when the policy is the reference"),
        ("dpo_loss", dpo_other_sign, "a likelier chosen answer"),
        ("dpo_loss", mean_of_tokens, "the probability of an answer is the product"),
        ("dpo_loss", reference_not_detached, "the policy gets a gradient, the reference none"),
        ("dpo_loss", beta_forgotten, "it is the library's loss"),
        ("gae", bootstrap_behind_the_end, "an answer of one token"),
        ("gae", wraps_around, "λ = 0 is the error of one step"),
        ("gae", forward_loop, "λ = 1 is the discounted sum"),
        ("gae", lambda_alone, "λ = 1 is the discounted sum"),
        ("gae", lambda_squared, "between them it is the weighted sum"),
        ("ppo_clip", ppo_other_sign, "before the first update"),
        ("ppo_clip", difference_for_ratio, "before the first update"),
        ("ppo_clip", max_for_min, "a token that has moved far enough"),
        ("ppo_clip", never_clipped, "a token that has moved far enough"),
        ("ppo_clip", both_sides_clipped, "a token that has moved against its advantage"),
        ("ppo_clip", other_range, "it is the paper's loss"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)


def test_the_maximum_of_dpo_is_no_other_loss() -> None:
    pi = torch.tensor([-1.0, -2.0]), torch.tensor([-3.0])
    assert torch.isclose(dpo(pi, pi, 0.3), answers.dpo_loss(pi, pi, 0.3))

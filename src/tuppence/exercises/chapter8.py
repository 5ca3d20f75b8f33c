"""Exercises of chapter 8: the Bradley–Terry loss, DPO, advantages, and PPO's clipped loss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from tuppence.exercises import answers
from tuppence.exercises.exercise import Calls, Draw, Exercise, Property, a_number, a_tensor, differs, not_finite

Pair = tuple[Tensor, Tensor]


def _equal_rewards(draw: Draw) -> Iterator[Pair]:
    yield torch.tensor([0.0]), torch.tensor([0.0])
    same = draw.normal(3, scale=3)
    yield same, same.clone()


def _rewards(draw: Draw) -> Iterator[Pair]:
    yield torch.tensor([1.0]), torch.tensor([0.0])
    yield draw.normal(2), draw.normal(2)
    yield draw.normal(6, scale=3), draw.normal(6, scale=3)


def _far_apart(draw: Draw) -> Iterator[Pair]:
    yield torch.tensor([0.0, 1000.0]), torch.tensor([1000.0, 0.0])


def _log_two(loss: Calls, chosen: Tensor, rejected: Tensor) -> str | None:
    return differs(loss(chosen, rejected), torch.full_like(chosen, math.log(2)))


def _shift(loss: Calls, chosen: Tensor, rejected: Tensor) -> str | None:
    before = loss(chosen, rejected)
    return differs(loss(chosen + 5, rejected + 5), before) and "with 5 added to all rewards, the loss is another"


def _falls(loss: Calls, chosen: Tensor, rejected: Tensor) -> str | None:
    before = loss(chosen, rejected)
    return (
        None if (loss(chosen + 1, rejected) < before).all() else "with a higher reward of the chosen, it does not fall"
    )


def _finite(loss: Calls, chosen: Tensor, rejected: Tensor) -> str | None:
    return not_finite(loss(chosen, rejected))


def _like_answer(loss: Calls, chosen: Tensor, rejected: Tensor) -> str | None:
    return differs(loss(chosen, rejected), answers.bradley_terry(chosen, rejected))


BRADLEY_TERRY = Exercise(
    chapter=8,
    name="bradley_terry",
    parameters=("chosen", "rejected"),
    task="the loss of each pair (N,): -log of the probability that the chosen answer is preferred, which is the "
    "sigmoid of the difference of the rewards; chosen and rejected are the rewards, each (N,)",
    difficulty=1,
    importance=3,
    minutes=10,
    fit=a_tensor,
    properties=(
        Property(
            "with equal rewards the loss is ln 2",
            _equal_rewards,
            _log_two,
            "A probability of one half. A loss is its negative logarithm.",
            "-log 0.5 is ln 2.",
        ),
        Property(
            "a number added to all rewards changes nothing",
            _rewards,
            _shift,
            "Only the difference counts.",
            "Compute chosen - rejected first, and nothing else of either.",
        ),
        Property(
            "a higher reward of the chosen answer lowers the loss",
            _rewards,
            _falls,
            "Which answer's reward is subtracted from which?",
            "chosen minus rejected, inside the sigmoid.",
        ),
        Property(
            "rewards that are far apart give a finite loss",
            _far_apart,
            _finite,
            "A sigmoid becomes exactly 0. torch has a function for its logarithm.",
            "logsigmoid, or softplus of the negative difference.",
        ),
        Property(
            "it is the reference's loss",
            _rewards,
            _like_answer,
            "One loss for each pair.",
            "Return N losses, not their mean.",
        ),
    ),
    second_hint="Try a difference of 0, of 1 and of -1.",
    answer=answers.bradley_terry,
)

Preference = tuple[Pair, Pair, float]


def _equal_models(draw: Draw) -> Iterator[Preference]:
    for chosen, rejected in ((1, 1), (2, 3), (draw.integer(4, 6), draw.integer(2, 3))):
        pi = -draw.normal(chosen).abs(), -draw.normal(rejected).abs()
        yield pi, (pi[0].clone(), pi[1].clone()), draw.number(0.05, 0.5)


def _preferences(draw: Draw) -> Iterator[Preference]:
    for chosen, rejected in ((1, 1), (2, 3), (draw.integer(4, 7), draw.integer(2, 5))):
        pi = -draw.normal(chosen).abs(), -draw.normal(rejected).abs()
        yield pi, (-draw.normal(chosen).abs(), -draw.normal(rejected).abs()), draw.number(0.1, 0.9)


def _at_the_start(loss: Calls, pi: Pair, ref: Pair, beta: float) -> str | None:
    return differs(loss(pi, ref, beta), math.log(2))


def _prefers(loss: Calls, pi: Pair, ref: Pair, beta: float) -> str | None:
    before = loss(pi, ref, beta)
    after = loss((pi[0] + 1, pi[1]), ref, beta)
    return None if after < before else "with a likelier chosen answer, the loss does not fall"


def _length_counts(loss: Calls, pi: Pair, ref: Pair, beta: float) -> str | None:
    """The last token twice, against its two halves in one."""
    one = torch.cat([pi[0], pi[0][-1:]]), torch.cat([ref[0], ref[0][-1:]])
    joined = pi[0].clone(), ref[0].clone()
    for tokens in joined:
        tokens[-1] *= 2
    before = loss((joined[0], pi[1]), (joined[1], ref[1]), beta)
    return differs(loss((one[0], pi[1]), (one[1], ref[1]), beta), before) and (
        "two tokens give another loss than one token with the sum of their log-probabilities"
    )


def _reference_is_fixed(loss: Calls, pi: Pair, ref: Pair, beta: float) -> str | None:
    found = loss.gradients(pi, ref, beta)
    if any(gradient.abs().max() > 0 for gradient in found[2:]):
        return "the reference gets a gradient"
    return None if all(gradient.abs().max() > 0 for gradient in found[:2]) else "the policy gets no gradient"


def _like_library(loss: Calls, pi: Pair, ref: Pair, beta: float) -> str | None:
    return differs(loss(pi, ref, beta), answers.dpo_loss(pi, ref, beta).item())


DPO_LOSS = Exercise(
    chapter=8,
    name="dpo_loss",
    parameters=("pi", "ref", "beta"),
    task="the DPO loss of one pair, a scalar: pi and ref are pairs (chosen, rejected) of the log-probabilities of the "
    "answer's tokens, each (T,), under the policy and under the reference, which is not trained",
    difficulty=3,
    importance=3,
    minutes=25,
    fit=a_number,
    properties=(
        Property(
            "at the start, when the policy is the reference, the loss is ln 2",
            _equal_models,
            _at_the_start,
            "All log ratios are 0, whatever β is. What is the sigmoid of 0?",
        ),
        Property(
            "a likelier chosen answer lowers the loss",
            _preferences,
            _prefers,
            "The margin is the log ratio of the chosen answer minus that of the rejected one.",
        ),
        Property(
            "the probability of an answer is the product over its tokens: a longer answer counts more",
            _preferences,
            _length_counts,
            "The logarithm of a product is a sum, not a mean.",
        ),
        Property(
            "the policy gets a gradient, the reference none",
            _preferences,
            _reference_is_fixed,
            "The reference is a constant. How does torch learn that?",
        ),
        Property("it is the library's loss", _preferences, _like_library, "β scales the margin, inside the sigmoid."),
    ),
    second_hint="It is the Bradley–Terry loss; the reward of an answer is β times its log ratio, π over the reference.",
    answer=answers.dpo_loss,
)

Trajectory = tuple[Tensor, Tensor, float, float]


def _of_one_token(draw: Draw) -> Iterator[Trajectory]:
    yield torch.tensor([1.0]), torch.tensor([0.25]), 1.0, 1.0
    yield draw.normal(1), draw.normal(1), 0.9, 0.95


def _trajectories(draw: Draw, gamma: float | None = None, lam: float | None = None) -> Iterator[Trajectory]:
    for length in (2, 3, draw.integer(5, 9)):
        chosen = draw.number(0.5, 1.0) if gamma is None else gamma, draw.number(0.1, 0.9) if lam is None else lam
        yield draw.normal(length), draw.normal(length), *chosen


def _no_value_behind_the_end(gae: Calls, rewards: Tensor, values: Tensor, gamma: float, lam: float) -> str | None:
    return differs(gae(rewards, values, gamma, lam), rewards - values)


def _one_step(gae: Calls, rewards: Tensor, values: Tensor, gamma: float, lam: float) -> str | None:
    following = torch.cat([values[1:], torch.zeros(1)])
    return differs(gae(rewards, values, gamma, lam), rewards + gamma * following - values)


def _whole_return(gae: Calls, rewards: Tensor, values: Tensor, gamma: float, lam: float) -> str | None:
    steps = torch.arange(len(rewards))
    powers = gamma ** (steps[None] - steps[:, None]).clamp(min=0) * (steps[None] >= steps[:, None])
    return differs(gae(rewards, values, gamma, lam), powers @ rewards - values)


def _like_equation(gae: Calls, rewards: Tensor, values: Tensor, gamma: float, lam: float) -> str | None:
    return differs(gae(rewards, values, gamma, lam), answers.gae(rewards, values, gamma, lam))


GAE = Exercise(
    chapter=8,
    name="gae",
    parameters=("rewards", "values", "gamma", "lam"),
    task="the advantage of each token of one answer (T,), by generalised advantage estimation: rewards (T,), and "
    "values (T,) before each token; the value after the last token is 0",
    difficulty=2,
    importance=2,
    minutes=20,
    fit=a_tensor,
    properties=(
        Property(
            "an answer of one token: its reward minus the value before it",
            _of_one_token,
            _no_value_behind_the_end,
            "Nothing comes after the end. Which value do you add there?",
            "The value after the last token is 0.",
        ),
        Property(
            "λ = 0 is the error of one step: reward + γ · next value - value",
            lambda draw: _trajectories(draw, lam=0.0),
            _one_step,
            "The next value is that before the next token.",
            "Shift the values by one, and put 0 at the end.",
        ),
        Property(
            "λ = 1 is the discounted sum of all later rewards minus the value",
            lambda draw: _trajectories(draw, lam=1.0),
            _whole_return,
            "An advantage needs the advantage of the token after it. From which end do you start?",
            "Start at the last token and go backward.",
        ),
        Property(
            "between them it is the weighted sum of the paper's equation",
            _trajectories,
            _like_equation,
            "Errors that are l steps away have the weight (γλ) to the power l.",
            "Each advantage is its δ plus γλ times the advantage after it.",
        ),
    ),
    second_hint="First all one-step errors δ. Then go backward: each advantage is its δ plus γλ times the next "
    "advantage.",
    answer=answers.gae,
)

Clipped = tuple[Tensor, Tensor, Tensor, float]


def _unmoved(draw: Draw) -> Iterator[Clipped]:
    yield torch.tensor([-1.0]), torch.tensor([-1.0]), torch.tensor([2.0]), 0.2
    logp = draw.normal(4)
    yield logp, logp.clone(), draw.normal(4), 0.2


def _moved(draw: Draw, direction: int, sign: int) -> Iterator[Clipped]:
    """Ratios outside the range, above (1) or below (-1) it, with advantages of one sign."""
    for size in (1, 3):
        old = -draw.normal(size).abs()
        yield old + direction * 0.75, old, sign * (draw.normal(size).abs() + 0.5), 0.2


def _further(draw: Draw) -> Iterator[Clipped]:
    """Moves that the advantage asks for, and that went too far."""
    yield from _moved(draw, 1, 1)
    yield from _moved(draw, -1, -1)


def _back(draw: Draw) -> Iterator[Clipped]:
    """Moves against the advantage."""
    yield from _moved(draw, 1, -1)
    yield from _moved(draw, -1, 1)


def _any_moves(draw: Draw) -> Iterator[Clipped]:
    for size in (2, 8):
        yield draw.normal(size, scale=0.5), draw.normal(size, scale=0.5), draw.normal(size), draw.number(0.1, 0.3)


def _minus_advantage(loss: Calls, logp: Tensor, old: Tensor, advantages: Tensor, eps: float) -> str | None:
    return differs(loss(logp, old, advantages, eps), -advantages)


def _no_gradient(loss: Calls, logp: Tensor, old: Tensor, advantages: Tensor, eps: float) -> str | None:
    gradient = loss.gradients(logp, old, advantages, eps)[0]
    return differs(gradient, torch.zeros_like(gradient)) and "a token that has moved far enough is still pushed further"


def _still_gradient(loss: Calls, logp: Tensor, old: Tensor, advantages: Tensor, eps: float) -> str | None:
    gradient = loss.gradients(logp, old, advantages, eps)[0]
    pushed = (gradient.sign() == -advantages.sign()).all()
    return None if pushed else "a token that has moved the wrong way is not pushed back"


def _like_paper(loss: Calls, logp: Tensor, old: Tensor, advantages: Tensor, eps: float) -> str | None:
    return differs(loss(logp, old, advantages, eps), answers.ppo_clip(logp, old, advantages, eps))


PPO_CLIP = Exercise(
    chapter=8,
    name="ppo_clip",
    parameters=("logp", "old_logp", "advantages", "eps"),
    task="PPO's loss of each token (N,): the negative of the smaller of ratio × advantage and clipped ratio × "
    "advantage; the ratio is π over the policy that wrote the answer, from log-probabilities, clipped to 1 ± eps",
    difficulty=2,
    importance=2,
    minutes=15,
    fit=a_tensor,
    properties=(
        Property(
            "before the first update the loss is minus the advantage",
            _unmoved,
            _minus_advantage,
            "The ratio of equal probabilities is 1; from logarithms it is the exponential of a difference.",
            "ratio = exp(logp - old_logp).",
        ),
        Property(
            "a token that has moved far enough, in the direction of its advantage, gets no more gradient",
            _further,
            _no_gradient,
            "Of both products, which is smaller? Look at positive and negative advantages.",
            "The smaller of the two products; the clipped one is constant, so it has no gradient.",
        ),
        Property(
            "a token that has moved against its advantage still gets its gradient: only one side is clipped",
            _back,
            _still_gradient,
            "Clipping must never hide a mistake. That is why the paper takes a minimum.",
            "The minimum with the unclipped product, not the clipped product alone.",
        ),
        Property(
            "it is the paper's loss",
            _any_moves,
            _like_paper,
            "Mind the sign: a loss falls where a reward rises.",
            "Clip to 1 - eps and 1 + eps.",
        ),
    ),
    second_hint="Draw the objective against the ratio, once for the advantage 1 and once for -1.",
    answer=answers.ppo_clip,
)

EXERCISES: Sequence[Exercise] = (BRADLEY_TERRY, DPO_LOSS, GAE, PPO_CLIP)

"""A rollout: what the policy wrote, what it earned, and how much better that was than expected.

Made once, learned from for several epochs, then thrown away. It is part of the training's state: a checkpoint in the
midst of it holds it whole, as plain tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from tuppence.data.buckets import IGNORED_TARGET, batches_by_length
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.tasks.ppo.answers import Answer, lay_out, score_answers
from tuppence.tasks.ppo.config import PPOConfig
from tuppence.tasks.ppo.equations import generalised_advantages, token_rewards, whiten
from tuppence.tasks.ppo.policy import PolicyWithValue, token_statistics

_STATE = "rollout."


@dataclass(frozen=True)
class Rollout:
    """Answers as PPO learns from them; (R, T) each, with a row for each answer, on the CPU.

    Attributes:
        tokens, targets: see `answers.lay_out`.
        log_probabilities: of each target under the policy that wrote it.
        values: what was expected before each target.
        advantages: whitened over the whole rollout.
        returns: what the value function should have said.
    """

    tokens: Tensor
    targets: Tensor
    log_probabilities: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, numbers: Tensor) -> tuple[Tensor, ...]:
        """Some of the answers, without the columns that none of them needs; the targets come last."""
        targets_BT = self.targets[numbers]
        used_T = (targets_BT != IGNORED_TARGET).any(dim=0).nonzero()
        width = int(used_T.max()) + 1
        names = ("tokens", "log_probabilities", "values", "advantages", "returns", "targets")
        return tuple(getattr(self, name)[numbers, :width] for name in names)

    def state(self) -> dict[str, Tensor]:
        """As named tensors, for a checkpoint."""
        return {_STATE + field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_state(cls, tensors: dict[str, Tensor]) -> Rollout | None:
        """What `state` gave, if there is any of it in `tensors`.

        Raises:
            ValueError: a part is missing.
        """
        found = {name: tensors[_STATE + name] for name in (f.name for f in fields(cls)) if _STATE + name in tensors}
        if not found:
            return None
        for field in fields(cls):
            if field.name not in found:
                raise ValueError(f"tensor {_STATE}{field.name} is missing")
        return cls(**found)


@dataclass(frozen=True)
class Judged:
    """Answers with what policy, reference and reward model say of them.

    Attributes:
        tokens, targets: see `answers.lay_out`, (R, T).
        log_probabilities, reference: of each target under the policy and its reference, (R, T); zero elsewhere.
        entropies, values: of the policy before each target, (R, T); zero elsewhere.
        scores: the reward model's, as it gives them, (R,).
        finished: whether the answer has its end of text, (R,).
    """

    tokens: Tensor
    targets: Tensor
    log_probabilities: Tensor
    reference: Tensor
    entropies: Tensor
    values: Tensor
    scores: Tensor
    finished: Tensor

    @property
    def mask(self) -> Tensor:
        """Where the targets are, (R, T)."""
        return self.targets != IGNORED_TARGET

    @property
    def kl(self) -> Tensor:
        """Σ log(π / π_ref) of each answer, (R,): on average over answers the KL divergence, in nats."""
        return (self.log_probabilities - self.reference).sum(dim=1)


@torch.no_grad()
def judge(
    model: PolicyWithValue, reference: GPT, reward: SequenceScorer, answers: Sequence[Answer], batch_size: int
) -> Judged:
    """Reads answers with the policy, its reference and the reward model.

    Args:
        reference: the model that the policy is held to.
        batch_size: answers at a time.

    Raises:
        NonFiniteError: the reward model gives NaN or infinity.
    """
    device = model.value.weight.device
    scores_R = score_answers(reward, answers, batch_size)
    tokens_RT, targets_RT = lay_out(answers, device)
    lengths = np.array([len(answer.prompt) + len(answer.ids) - 1 for answer in answers], dtype=np.int64)
    found_4RT = torch.zeros(4, *targets_RT.shape, device=device)
    for numbers in batches_by_length(lengths, batch_size):
        rows, width = torch.from_numpy(numbers).to(device), int(lengths[numbers].max())
        tokens_BT, targets_BT = tokens_RT[rows, :width], targets_RT[rows, :width]
        statistics, values_N = model(tokens_BT, targets_BT)
        base = token_statistics(reference, tokens_BT, targets_BT)
        row_N, column_N = (targets_BT != IGNORED_TARGET).nonzero(as_tuple=True)
        found_4RT[:, rows[row_N], column_N] = torch.stack(
            [statistics.log_probabilities, base.log_probabilities, statistics.entropies, values_N]
        )
    finished_R = torch.tensor([answer.finished for answer in answers], device=device)
    policy_RT, reference_RT, entropies_RT, values_RT = found_4RT
    return Judged(tokens_RT, targets_RT, policy_RT, reference_RT, entropies_RT, values_RT, scores_R, finished_R)


def make_rollout(judged: Judged, rewards_R: Tensor, kl_coefficient: float, choice: PPOConfig) -> Rollout:
    """From judged answers to what is learned from them.

    Args:
        rewards_R: what each answer as a whole is paid: its score, normalised and less penalties.
        kl_coefficient: β.
    """
    mask_RT = judged.mask
    log_ratios_RT = judged.log_probabilities - judged.reference
    rewards_RT = token_rewards(rewards_R, log_ratios_RT, mask_RT, kl_coefficient)
    advantages_RT = generalised_advantages(
        rewards_RT, judged.values, mask_RT, gamma=choice.gamma, gae_lambda=choice.gae_lambda
    )
    returns_RT = torch.where(mask_RT, advantages_RT + judged.values, 0.0)
    whitened_RT = whiten(advantages_RT, mask_RT)
    parts = (judged.tokens, judged.targets, judged.log_probabilities, judged.values, whitened_RT)
    return Rollout(*(tensor.cpu() for tensor in (*parts, returns_RT)))


def rollout_gauges(judged: Judged, rewards_R: Tensor, kl_coefficient: float) -> dict[str, float]:
    """What a rollout says of the policy, by the names that trl gave these numbers; means over answers.

    `objective/entropy` and `objective/kl` are sums over an answer's tokens, as there.
    """
    kl, scores = float(judged.kl.mean()), float(judged.scores.mean())
    non_score = -kl_coefficient * kl
    return {
        "objective/kl": kl,
        "objective/entropy": float((-judged.log_probabilities).sum(dim=1).mean()),
        "objective/non_score_reward": non_score,
        "objective/rlhf_reward": float(rewards_R.mean()) + non_score,
        "objective/scores": scores,
        "objective/kl_coefficient": kl_coefficient,
        "objective/answer_tokens": float(judged.mask.sum(dim=1).float().mean()),
        "objective/finished": float(judged.finished.float().mean()),
    }

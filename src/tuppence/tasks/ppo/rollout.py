"""A rollout: answers of the policy, with their rewards and advantages.

A rollout is made once, trained on for several epochs, and dropped. It is part of the training state: a checkpoint
contains the present rollout as tensors.
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
    """Answers as PPO trains on them: tensors of (R, T) on the CPU, with one row for each answer.

    Attributes:
        tokens, targets: see `answers.lay_out`.
        log_probabilities: of each target under the policy that generated it.
        values: the value before each target.
        advantages: whitened over the rollout.
        returns: the targets of the value function.
    """

    tokens: Tensor
    targets: Tensor
    log_probabilities: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, numbers: Tensor) -> tuple[Tensor, ...]:
        """A batch of some answers, without columns that none of them uses; the last tensor holds the targets."""
        targets_BT = self.targets[numbers]
        used_T = (targets_BT != IGNORED_TARGET).any(dim=0).nonzero()
        width = int(used_T.max()) + 1
        names = ("tokens", "log_probabilities", "values", "advantages", "returns", "targets")
        return tuple(getattr(self, name)[numbers, :width] for name in names)

    def state(self) -> dict[str, Tensor]:
        """The rollout as named tensors, for a checkpoint."""
        return {_STATE + field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_state(cls, tensors: dict[str, Tensor]) -> Rollout | None:
        """The rollout that `state` returned; None if `tensors` has none.

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
    """Answers, evaluated by policy, reference and reward model.

    Attributes:
        tokens, targets: see `answers.lay_out`, (R, T).
        log_probabilities, reference: of each target under the policy and under the reference, (R, T); zero elsewhere.
        entropies, values: of the policy before each target, (R, T); zero elsewhere.
        scores: raw scores of the reward model, (R,).
        finished: whether the answer has an end of text, (R,).
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
        """Whether a position has a target, (R, T)."""
        return self.targets != IGNORED_TARGET

    @property
    def kl(self) -> Tensor:
        """Σ log(π / π_ref) of each answer, (R,), in nats; its expectation is the KL divergence."""
        return (self.log_probabilities - self.reference).sum(dim=1)


@torch.no_grad()
def judge(
    model: PolicyWithValue, reference: GPT, reward: SequenceScorer, answers: Sequence[Answer], batch_size: int
) -> Judged:
    """Evaluates answers with the policy, its reference and the reward model.

    Args:
        reference: the model whose KL divergence is penalised.
        batch_size: answers in a batch.

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


def make_rollout(judged: Judged, rewards_R: Tensor, kl_coefficient: float, align: PPOConfig) -> Rollout:
    """Computes advantages and returns.

    Args:
        rewards_R: the reward of each whole answer: its normalised score minus penalties.
        kl_coefficient: β.
    """
    mask_RT = judged.mask
    log_ratios_RT = judged.log_probabilities - judged.reference
    rewards_RT = token_rewards(rewards_R, log_ratios_RT, mask_RT, kl_coefficient)
    advantages_RT = generalised_advantages(
        rewards_RT, judged.values, mask_RT, gamma=align.gamma, gae_lambda=align.gae_lambda
    )
    returns_RT = torch.where(mask_RT, advantages_RT + judged.values, 0.0)
    whitened_RT = whiten(advantages_RT, mask_RT)
    parts = (judged.tokens, judged.targets, judged.log_probabilities, judged.values, whitened_RT)
    return Rollout(*(tensor.cpu() for tensor in (*parts, returns_RT)))


def rollout_gauges(judged: Judged, rewards_R: Tensor, kl_coefficient: float) -> dict[str, float]:
    """Metrics of a rollout under trl's names, as means over answers.

    As in trl, `objective/entropy` and `objective/kl` are sums over the tokens of an answer.
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

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.tasks.ppo.conftest import CountingReward, base, stir

from tuppence.tasks.ppo.answers import Answer
from tuppence.tasks.ppo.config import PPOConfig
from tuppence.tasks.ppo.policy import PolicyWithValue, token_statistics
from tuppence.tasks.ppo.rollout import Rollout, judge, make_rollout, rollout_gauges

Policy = Callable[..., PolicyWithValue]
ANSWERS = [
    Answer([5, 6, 7, 8], [100, 101], False),
    Answer([9], [100, 12, 13, 260], True),
    Answer([5, 6], [14], False),
]


def test_a_fresh_policy_is_its_own_reference_to_the_bit(policy: Policy) -> None:
    judged = judge(policy(), base(), CountingReward(), ANSWERS, batch_size=2)
    assert judged.kl.tolist() == [0, 0, 0]
    assert (judged.log_probabilities[judged.mask] < 0).all()


def test_answers_are_judged_the_same_in_a_batch_and_alone(policy: Policy) -> None:
    model = policy()
    stir(model)
    together = judge(model, base(), CountingReward(), ANSWERS, batch_size=2)
    for row, answer in enumerate(ANSWERS):
        targets = together.targets[row : row + 1]
        statistics, values = model(together.tokens[row : row + 1], targets)
        reference = token_statistics(base(), together.tokens[row : row + 1], targets)
        mask = together.mask[row]
        assert int(mask.sum()) == len(answer.ids)
        for found, expected in (
            (together.log_probabilities, statistics.log_probabilities),
            (together.reference, reference.log_probabilities),
            (together.entropies, statistics.entropies),
            (together.values, values),
        ):
            assert torch.allclose(found[row, mask], expected.detach(), atol=1e-5)
            assert not found[row, ~mask].any()


def test_returns_sum_the_rewards_of_an_answer_and_are_kept_in_a_checkpoint(policy: Policy) -> None:
    model = policy()
    stir(model, std=0.02)
    judged = judge(model, base(), CountingReward(), ANSWERS, batch_size=3)
    rewards = torch.tensor([1.0, 2.0, 3.0])
    rollout = make_rollout(judged, rewards, 0.1, PPOConfig(gae_lambda=1.0))
    first = [int(row.nonzero()[0]) for row in judged.mask]
    earned = rewards - 0.1 * judged.kl
    assert torch.allclose(rollout.returns[range(3), first], earned, atol=1e-5)
    assert float(rollout.advantages[judged.mask].mean()) == pytest.approx(0, abs=1e-6)

    again = Rollout.from_state(rollout.state())
    assert again is not None
    assert all(torch.equal(getattr(again, name), tensor) for name, tensor in vars(rollout).items())
    assert Rollout.from_state({}) is None
    with pytest.raises(ValueError, match="returns is missing"):
        Rollout.from_state({key: value for key, value in rollout.state().items() if "returns" not in key})

    gauges = rollout_gauges(judged, rewards, 0.1)
    assert gauges["objective/rlhf_reward"] == pytest.approx(float(earned.mean()), abs=1e-5)
    assert gauges["objective/answer_tokens"] == pytest.approx(7 / 3)
    assert gauges["objective/finished"] == pytest.approx(1 / 3)


def test_a_batch_of_a_rollout_has_no_columns_without_use(policy: Policy) -> None:
    judged = judge(policy(), base(), CountingReward(), ANSWERS, batch_size=3)
    rollout = make_rollout(judged, torch.zeros(3), 0.1, PPOConfig())
    assert rollout.tokens.shape == (3, 5)
    tokens, *_, targets = rollout.rows(torch.tensor([2]))
    assert tokens.tolist() == [[5, 6]]
    assert targets.tolist() == [[-100, 14]]

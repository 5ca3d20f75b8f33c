from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.tasks.ppo.conftest import CountingReward, base, stir

from tuppence.tasks.ppo.answers import Answer
from tuppence.tasks.ppo.policy import PolicyWithValue, token_statistics
from tuppence.tasks.ppo.quality import answer_quality, distinct
from tuppence.tasks.ppo.rollout import judge

ANSWERS = [Answer([5, 6], [7, 8, 9, 260], True), Answer([5], [9] * 9, False)]


def test_repetition_length_and_the_base_s_loss_are_those_of_each_answer(
    policy: Callable[..., PolicyWithValue],
) -> None:
    model, reference = policy(), base()
    stir(model)
    judged = judge(model, reference, CountingReward(), ANSWERS, batch_size=1)
    found = answer_quality(ANSWERS, judged)
    assert found.answer_tokens.tolist() == [4, 9]
    assert found.finished.tolist() == [1, 0]
    assert found.repeated_4grams.tolist() == pytest.approx([0, 5 / 6])  # six 4-grams, one of them new
    with torch.no_grad():
        tokens, targets = torch.tensor([[5, 6, 7, 8, 9]]), torch.tensor([[-100, 7, 8, 9, 260]])
        nats = -token_statistics(reference, tokens, targets).log_probabilities.mean()
    assert float(found.base_loss[0]) == pytest.approx(float(nats), abs=1e-5)
    assert (found.kl != 0).all()
    assert (found.entropy < math.log(270)).all()


def test_distinct_grows_with_variety_within_and_across_texts() -> None:
    assert distinct([[1, 2, 3], [4, 5, 6]], 2) == 1.0
    assert distinct([[1, 2, 3], [1, 2, 3]], 2) == 0.5
    assert distinct([[1, 1, 1, 1, 1]], 2) == 0.25
    assert distinct([], 2) == 1.0

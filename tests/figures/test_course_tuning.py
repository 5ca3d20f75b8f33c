"""What the figures of finetuning and alignment show is what they were given, or the equation in their docstring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tuppence.figures import (
    gae_ladder,
    label_efficiency,
    rank_and_forgetting,
    reward_against_length,
    reward_frontier,
    singular_values,
)
from tuppence.tasks.ppo.equations import generalised_advantages


def title(figure: Any) -> str:
    drawn = figure.get_suptitle() or figure.axes[0].texts[0].get_text()
    return " ".join(drawn.split())


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_scores_with_intervals_are_shaded_and_those_without_are_not() -> None:
    figure = label_efficiency([16, 64], {"a": [[0.7, 0.6, 0.8], [0.9, 0.8, 1.0]], "b": [0.5, 0.8]})
    axes = figure.axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.7, 0.9], [0.5, 0.8]]
    assert len(axes.collections) == 1
    assert title(figure) == "With 16 labels, best: a, accuracy 0.70"


def test_the_two_losses_are_above_each_other() -> None:
    figure = rank_and_forgetting(["rank 1\n1 %", "all"], [4.0, 3.0], [2.5, 2.0], before=(9.0, 1.5))
    above, below = figure.axes
    assert texts(above) == ["4.00", "3.00", "before: 9.00"]
    assert texts(below) == ["2.50", "2.00", "before: 1.50"]
    assert title(figure) == "Most learned: all; most forgotten: rank 1"


def test_the_directions_of_a_change_are_those_of_its_squared_norm() -> None:
    """3² is 90 % of 3² + 1²; a matrix of rank 1 has one direction."""
    assert title(singular_values({"a": [3.0, 1.0]})) == "1 of 2 directions hold 90 % of ΔW: a"
    assert title(singular_values({"a": [2.9, 1.0]})) == "2 of 2 directions hold 90 % of ΔW: a"
    figure = singular_values({"a": [2.0, 1e-9, 0.0]})
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[1, 2]]


def test_the_frontier_has_the_answers_by_strength_of_the_penalty() -> None:
    figure = reward_frontier([1.0, 200.0], [0.1, 5.0], [0.3, 0.0], ["a tree", "loved loved"])
    page, axes = figure.axes
    answers = [text for text in texts(page) if text in ("a tree", "loved loved")]
    assert answers == ["loved loved", "a tree"]
    assert axes.get_xscale() == "log"
    assert title(figure) == "β = 0 gets a reward of 5.0 and goes 200 nats away"
    assert reward_frontier([0.0, 200.0], [0.1, 5.0], [0.3, 0.0]).axes[1].get_xscale() == "linear"


def test_reward_against_length_shows_the_correlation_and_the_line_of_least_squares() -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 90, size=900)
    rewards = 0.02 * lengths + generator.normal(size=900)
    figure = reward_against_length(lengths, rewards)
    assert title(figure) == f"Reward and length of an answer: correlation {np.corrcoef(lengths, rewards)[0, 1]:.2f}"
    points, line = figure.axes[0].lines
    assert len(points.get_xdata()) == 500
    design = np.stack([np.ones(900), lengths], axis=1)
    offset, slope = np.linalg.lstsq(design, rewards, rcond=None)[0]
    assert np.asarray(line.get_ydata()) == pytest.approx(offset + slope * np.asarray(line.get_xdata()))
    assert title(reward_against_length([5, 5], [1.0, 2.0])).endswith("correlation 0.00")


def test_the_ladder_has_the_errors_whose_discounted_sums_are_the_advantages() -> None:
    rewards, values, gamma, gae_lambda = [0.0, 0.5, 1.0], [0.2, 0.4, 0.9], 0.9, 0.8
    mask = torch.ones(1, 3, dtype=torch.bool)
    both = {"gamma": gamma, "gae_lambda": gae_lambda}
    advantages = generalised_advantages(torch.tensor([rewards]), torch.tensor([values]), mask, **both)
    figure = gae_ladder(rewards, values, advantages[0].tolist(), **both)
    signed = [float(text.replace("−", "-")) for text in texts(figure.axes[0]) if text[:1] in "+−0" and text[1:]]
    shown = np.array(signed[6:]).reshape(3, 2)
    back = 0.0
    for error, advantage in reversed(shown.tolist()):
        back = error + gamma * gae_lambda * back
        assert advantage == pytest.approx(back, abs=0.02)
    assert "× γλ = 0.72" in texts(figure.axes[0])
    with pytest.raises(ValueError, match="room for 6 tokens, not 7"):
        gae_ladder([0.0] * 7, [0.0] * 7, [0.0] * 7)

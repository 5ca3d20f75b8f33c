"""What the figures of models and of pretraining show is what they were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuppence.figures import (
    ablations,
    cache_speed,
    loss_and_samples,
    parameters_by_part,
    residual_norms,
    resume_proof,
    sampling_cut,
    scaling_law,
    schedule,
)
from tuppence.figures.course.pretraining import power_label


def title(figure: Any) -> str:
    return " ".join(figure.get_suptitle().split())


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_ablations_are_sorted_and_show_their_distance_to_the_whole() -> None:
    figure = ablations({"whole": 3.0, "without b": 4.5, "without a": 2.9})
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["without a", "whole", "without b"]
    assert texts(axes) == ["2.900  (−0.100)", "3.000", "4.500  (+1.500)"]
    assert title(figure) == "Largest loss: without b, +1.50 nats"


def test_shares_of_parts_sum_to_one_hundred_in_each_measure() -> None:
    figure = parameters_by_part({"a": 30, "b": 70}, {"b": 1, "head": 3})
    assert [[bar.get_width() for bar in axes.patches] for axes in figure.axes] == [[70, 30, 0], [25, 0, 75]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "a", "head"]
    assert title(figure) == "b: 70 % of the parameters, 25 % of the computation"
    assert len(parameters_by_part({"a": 30, "b": 70}).axes) == 1


def test_norms_begin_before_the_first_block() -> None:
    figure = residual_norms({"one": [1.0, 2.0, 4.0], "two": [1.0, 1.0, 1.0]})
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[0, 1], [1, 2], [2, 4]]
    assert title(figure) == "The residual stream grows 4.0 times: one"


def test_a_token_that_is_cut_is_named_so() -> None:
    figure = sampling_cut([" a", " b"], {"all": [0.6, 0.4], "top-k 1": [1.0, 0.0]})
    assert [texts(axes) for axes in figure.axes] == [["60", "40"], ["100", "cut"]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["·a", "·b"]


def test_the_cache_is_compared_at_every_length() -> None:
    figure = cache_speed([16, 64], [0.2, 1.2], [0.1, 0.3])
    assert texts(figure.axes[0])[2:] == ["2.0 ×", "4.0 ×"]
    assert title(figure) == "Without the cache, 64 tokens take 4.0 times as long"


def test_the_schedule_shades_its_warm_up() -> None:
    figure = schedule([1, 2, 3, 4], {"linear": [0.5, 1.0, 0.5, 0.1]}, warmup=2)
    (band,) = figure.axes[0].patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (1, 2)
    assert title(figure) == "2 steps up, then down to 10% of the peak"
    assert not schedule([1, 2], {"constant": [1.0, 1.0]}).axes[0].patches


def test_samples_have_the_loss_of_their_step() -> None:
    figure = loss_and_samples([1, 100], [9.0, 3.0], [(1, "aaa"), (100, "Once upon")])
    shown = texts(figure.axes[0])
    assert {"step 1, loss 9.00", "aaa", "step 100, loss 3.00", "Once upon"} <= set(shown)
    assert [line.get_xydata().tolist() for line in figure.axes[1].lines[1:]] == [[[1, 9]], [[100, 3]]]


def test_a_prediction_is_shown_with_its_error() -> None:
    figure = scaling_law([1e10, 1e12], [4.0, 3.0], names=["a", "b"], prediction=(1e13, 2.2, 2.0))
    assert title(figure) == "Predicted 2.20, measured 2.00: 10.0% off"
    assert {"a", "b", "predicted 2.20", "measured 2.00"} == set(texts(figure.axes[0]))
    assert title(scaling_law([1e10, 1e12], [4.0, 3.0])) == "The lowest of 2 losses is 3.00"


def test_powers_of_ten_have_raised_exponents() -> None:
    assert [power_label(value) for value in (12.5, 1e15, 2.5e10, 1e-4)] == ["12.5", "10¹⁵", "2.5·10¹⁰", "10⁻⁴"]


@pytest.mark.parametrize(
    ("second", "verdict"), [("abc", "the same weights to the last bit"), ("abd", "the weights differ")]
)
def test_a_resumed_run_is_judged_by_its_hash(second: str, verdict: str) -> None:
    steps = np.arange(10)
    figure = resume_proof(steps, steps, steps, steps, killed_at=5, hashes=("abc", second))
    assert title(figure) == f"Killed, resumed: {verdict}"
    assert verdict in figure.alt

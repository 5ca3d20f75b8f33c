"""What the figures of attention show is what they were given, or the equation of the softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from tuppence.figures import attention_cost, attention_map, attention_maps, attention_steps, loss_curves, saturation
from tuppence.figures.course.cells import MOST_RECTANGLES
from tuppence.figures.course.labels import spread
from tuppence.figures.style import BLUE, GREEN, ORANGE

SCORES = np.array([[1.0, 2.0, -3.0], [0.5, -1.0, 4.0], [2.0, 0.0, 1.0]])
CAUSAL = np.tril(np.ones((3, 3), dtype=bool))


def cells(axes: Any) -> list[tuple[float, ...]]:
    return [patch.get_facecolor() for patch in axes.patches]


def test_the_three_steps_are_scores_masked_scores_and_their_softmax() -> None:
    first, second, third = attention_steps(SCORES, CAUSAL).axes
    assert [text.get_text() for text in first.texts] == [
        "1.0",
        "2.0",
        "−3.0",
        "0.5",
        "−1.0",
        "4.0",
        "2.0",
        "0.0",
        "1.0",
    ]
    assert [text.get_text() for text in second.texts][:3] == ["1.0", "−∞", "−∞"]
    expected = torch.tensor(SCORES).masked_fill(~torch.tensor(CAUSAL), -torch.inf).softmax(dim=-1)
    assert [int(text.get_text()) for text in third.texts] == [
        round(100 * value) for value in expected.flatten().tolist()
    ]
    assert [cell[:3] == to_rgb(ORANGE) for cell in cells(first)] == (SCORES.flatten() < 0).tolist()
    assert [cell[3] for cell in cells(third)] == pytest.approx([0.42 * value for value in expected.flatten().tolist()])
    assert cells(third)[0][:3] == to_rgb(GREEN)


def test_huge_scores_are_drawn_too() -> None:
    assert [text.get_text() for text in attention_steps(SCORES * 1e4, CAUSAL).axes[2].texts][3:6] == ["100", "0", "0"]


def test_the_title_of_a_map_is_its_largest_weight_except_of_the_first_token() -> None:
    weights = [[1.0, 0.0], [0.3, 0.7]]
    assert attention_map(weights, ["a", "b"]).get_suptitle() == "“b” looks at “b” most: 70% of its attention"
    assert attention_map([[1.0]]).get_suptitle().startswith("token 1 looks at token 1 most: 100%")


@pytest.mark.parametrize("length", [3, 40])
def test_weights_are_the_opacity_of_cells_in_small_and_large_maps(length: int) -> None:
    weights = np.random.default_rng(0).random((length, length))
    axes = attention_map(weights).axes[0]
    if length**2 <= MOST_RECTANGLES:
        found = np.array(cells(axes)).reshape(length, length, 4)
    else:
        found = np.asarray(axes.images[0].get_array())
    assert found[..., 3] == pytest.approx(weights)
    assert found[0, 0, :3] == pytest.approx(to_rgb(BLUE))


def test_maps_have_a_row_for_each_layer_and_a_column_for_each_head() -> None:
    weights = np.random.default_rng(0).random((2, 3, 4, 4))
    figure = attention_maps(weights)
    assert len(figure.axes) == 6
    assert [cell[3] for cell in cells(figure.axes[4])] == pytest.approx(weights[1, 1].flatten().tolist())
    with pytest.raises(ValueError, match="not \\(4, 4\\)"):
        attention_maps(weights[0, 0])


def test_curves_have_their_points_and_their_names() -> None:
    figure = saturation([4, 8], [0.4, 0.6], [0.2, 0.2])
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[0.4, 0.6], [0.2, 0.2]]
    assert [text.get_text() for text in figure.axes[0].texts] == ["without 1/√K", "with 1/√K"]


def test_the_message_of_costs_is_the_ratio_at_the_largest_length() -> None:
    figure = attention_cost([128, 256], {"fused": [1.0, 2.0], "explicit": [3.0, 9.0]})
    assert " ".join(figure.get_suptitle().split()) == "At 256 tokens, explicit takes 4.5 times as long as fused"


def test_nan_is_left_out_of_loss_curves_and_the_lowest_is_named() -> None:
    figure = loss_curves({"a": ([1, 2, 3], [3.0, np.nan, 2.0]), "b": ([1, 2], [3.0, 2.5])})
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[1, 3], [3, 2]]
    assert figure.get_suptitle() == "Lowest at the end: a, 2.00"


def test_names_move_apart_as_little_as_possible() -> None:
    """The centres of two intervals of size 1 around the same place; those that have room do not move."""
    assert spread([2.0, 2.0, 9.0], [1, 1, 1]).tolist() == [1.5, 2.5, 9.0]
    assert spread([5.0, 0.0], [1, 1]).tolist() == [5.0, 0.0]
    crowded = spread([0.0] * 5, [2] * 5)
    assert np.diff(crowded) == pytest.approx([2] * 4)
    assert crowded.mean() == pytest.approx(0)

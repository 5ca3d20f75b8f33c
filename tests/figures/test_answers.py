from __future__ import annotations

import numpy as np
import pytest

from tuppence.figures.answers import plot_exact_match, plot_exact_match_by_kind


def test_bars_are_as_long_as_the_shares_with_95_percent_intervals() -> None:
    (axes,) = plot_exact_match(["base", "tuned"], [0.0, 0.4], [0.0, 0.02]).axes
    assert [bar.get_width() for bar in axes.patches] == [0.0, 40.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["base", "tuned"]
    whisker = axes.collections[-1].get_segments()[0]
    assert whisker[:, 0].tolist() == pytest.approx([40 - 3.92, 40 + 3.92])


def test_kinds_are_sorted_by_the_best_model_and_labelled_with_their_rows() -> None:
    (axes,) = plot_exact_match_by_kind(["spell", "swap"], [5, 9], {"base": [0.0, 0.1], "tuned": [0.2, 1.0]}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["swap (9)", "spell (5)"]
    tuned = np.asarray(axes.collections[1].get_offsets())
    assert tuned.tolist() == [[100.0, 0.0], [20.0, 1.0]]


def test_long_names_of_kinds_are_cut() -> None:
    (axes,) = plot_exact_match_by_kind(["x" * 25], [5], {"base": [0.1]}, width=4.2).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x" * 23 + "… (5)"]
